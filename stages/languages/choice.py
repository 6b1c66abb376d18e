"""Which of the candidates are here, which one to take, and how to get one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from stages.languages.table import Candidate, recognisers, translators, voices
from stages.mt.convert import can_convert, is_converted
from stages.registry import default_weights, install_command, is_external, missing
from stages.weights.hub import fetched_path, is_hub_reference
from stages.weights.known import KNOWN
from stages.weights.licences import is_accepted, licence_of
from stages.weights.resolve import is_here, on_the_hub

ENCODING_S = 0.4
"""Wall seconds for Whisper's encoder beyond which a model does not keep up with speech."""

EASY_DELAY_S = 6.0
"""From this delay on any voice is taken, however much work it is."""


def weights_of(candidate: Candidate) -> tuple[str, ...]:
    """What the candidate loads, in the form that ``resolve`` takes."""
    if candidate.model == "default":
        return default_weights(candidate.kind, candidate.engine)
    if candidate.engine == "piper" and candidate.model.endswith(".onnx"):
        return (candidate.model, f"{candidate.model}.json")
    return () if is_external(candidate.engine) else (candidate.model,)


def packages(candidate: Candidate) -> tuple[str, ...]:
    """What must be installed before the candidate can be used, as pip requirements."""
    absent = list(missing(candidate.kind, candidate.engine))
    for name in weights_of(candidate):
        if name in KNOWN and not is_here(name):
            absent += KNOWN[name].pip.split()
    if candidate.engine == "ctranslate2" and not _is_converted(candidate):
        absent += [] if can_convert() else ["livedub[convert]"]
    return tuple(dict.fromkeys(absent))


def to_fetch(candidate: Candidate) -> tuple[str, ...]:
    """Weights on the hub that are not here yet."""
    return tuple(
        name
        for name in weights_of(candidate)
        if name not in KNOWN and is_hub_reference(on_the_hub(name)) and not is_here(name)
    )


def is_installed(candidate: Candidate) -> bool:
    """Whether it can be used as it is, without network."""
    return not packages(candidate) and not to_fetch(candidate)


def may_be_taken(candidate: Candidate) -> bool:
    """Whether it may be used by those who did not name it."""
    licence = licence_of(candidate.model)
    return not candidate.asked or (licence is not None and is_accepted(licence))


def keeps_up(candidate: Candidate, delay: float, cores: int) -> bool:
    """Whether a voice is quick enough for a delay on so many cores without a GPU.

    At 6 s two cores carry 0.6 s of work for a second of speech, at 4 s half of that.

    Args:
        candidate: a voice.
        delay: seconds that the viewer is behind.
        cores: of the CPU.
    """
    room = (delay - 2) / (EASY_DELAY_S - 2) * 0.65
    return delay >= EASY_DELAY_S or candidate.work / cores <= room


def recognisers_by_worth(source: str, *, gpu: bool) -> list[Candidate]:
    """Whisper models for a language, the one to be taken first.

    Those that come in packages are the choice for a CPU, in the order of the table: for English
    ``tiny.en`` makes no more mistakes than ``base``, at half of the work (docs/use/evaluation.md).
    Larger ones come first where they are carried.

    Args:
        source: BCP 47 tag.
        gpu: whether there is one.
    """
    known = recognisers(source)
    packaged = [one for one in known if not one.megabytes]
    larger = [one for one in reversed(known) if one.megabytes]
    if gpu:  # turbo makes about as few mistakes as large-v3, several times as fast
        larger.sort(key=lambda one: one.model != "large-v3-turbo")
    return [*larger, *packaged]


def taken(
    candidates: Sequence[Candidate], carried: Callable[[Candidate], bool] = lambda one: True
) -> Candidate | None:
    """The first that may be taken, is here, and is carried by the machine; ``None`` if none is.

    Args:
        candidates: best first.
        carried: asked of those that are here alone.
    """
    fit = (one for one in candidates if may_be_taken(one) and is_installed(one) and carried(one))
    return next(fit, None)


def candidates(kind: str, source: str, target: str) -> list[Candidate]:
    """Translators (``mt``) or voices (``tts``) for a pair, best first."""
    return translators(source, target) if kind == "mt" else voices(target)


def command(found: Sequence[Candidate], pull: str = "") -> str:
    """The command that brings candidates here; empty if they are.

    Args:
        found: what is wanted.
        pull: arguments of ``livedub models pull`` that name all of it; else it is named by ids.
    """
    pip = tuple(dict.fromkeys(name for one in found for name in packages(one)))
    install = [install_command(pip)] if pip else []
    own = [name for one in found for name in to_fetch(one) if not name.endswith(".json")]
    if not own:
        return " && ".join(install)
    licensed = [licence for name in own if (licence := licence_of(name)) is not None]
    accept = "" if all(map(is_accepted, licensed)) else " --accept-licence"
    return " && ".join([*install, f"livedub models pull {pull or ' '.join(own)}{accept}"])


def described(candidate: Candidate) -> str:
    """Engine and model, for people."""
    if candidate.kind == "asr":
        return candidate.model
    model = candidate.model.removeprefix("rhasspy/piper-voices:").rpartition("/")[2]
    named = candidate.model if candidate.kind == "mt" else model.removesuffix(".onnx")
    return candidate.engine if named == "default" else f"{candidate.engine} {named}"


def _is_converted(candidate: Candidate) -> bool:
    here = Path(candidate.model).expanduser()
    path = here if here.is_dir() else fetched_path(candidate.model)
    return path is not None and is_converted(path)
