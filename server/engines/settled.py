"""``auto`` in the configuration, replaced by what is taken for it on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from server.config import AUTO, Config
from server.engines.cores import usable_cores
from stages.base import EngineError
from stages.gpu import has_cuda
from stages.languages.choice import (
    ENCODING_S,
    candidates,
    command,
    described,
    is_installed,
    keeps_up,
    may_be_taken,
    recognisers_by_worth,
    taken,
    to_fetch,
)
from stages.languages.table import Candidate
from stages.options import MATCH
from stages.registry import is_external
from stages.weights.hub import is_offline
from stream.languages import language_name

KINDS = ("asr", "mt", "tts")
PURPOSES = {"asr": "recognition", "mt": "translation", "tts": "voice", "speakers": "speakers"}

_TABLED = ("ctranslate2", "piper")
"""Engines whose default model is the table's for the languages."""

_SPEAKS_SOME = ("kokoro", "xtts")
"""Engines of which the table has every language."""

_OPEN_VOICES = ("default", MATCH)
"""What leaves it to the engine and the languages which voice speaks."""

_LOG = logging.getLogger(__name__)


def settled(config: Config, *kinds: str) -> Config:
    """The configuration with engines and models by name, as far as ``auto`` left them open.

    Args:
        config: checked.
        kinds: ``asr``, ``mt`` or ``tts``, to settle that alone.

    Raises:
        EngineError: if nothing here serves the languages; it says what would, how large that is
            and which command gets it.
    """
    found = {}
    for kind in kinds or KINDS:
        open_ = _open(kind, config)
        if open_ is None:
            continue
        if (chosen := _taken(kind, open_, config)) is None:
            raise EngineError(plan(config))
        found[kind] = chosen
        _LOG.info("%s auto takes %s", PURPOSES[kind], described(chosen))
    return _with(config, found)


def wanted(config: Config) -> Config:
    """The same with the best there is for this machine, here or to be fetched."""
    found = {}
    for kind in KINDS:
        open_ = _open(kind, config)
        if open_ and (best := _best(kind, open_, config)) is not None:
            found[kind] = best
    return _with(config, found)


def choice(config: Config, kinds: Sequence[str] = KINDS) -> str | None:
    """One line about what ``auto`` took, and why; ``None`` if everything was named.

    Args:
        config: checked.
        kinds: what is used of it.

    Raises:
        EngineError: as ``settled``.
    """
    said = []
    for kind in kinds:
        open_ = _open(kind, config)
        if open_ is None:
            continue
        if (chosen := _taken(kind, open_, config)) is None:
            raise EngineError(plan(config, kinds=kinds))
        reason = _why_not_better(kind, chosen, open_, config)
        said.append(f"{PURPOSES[kind]} by {described(chosen)}{f' ({reason})' if reason else ''}")
    if not said:
        return None
    return f"{config.languages.written} -> {config.target}: {'; '.join(said)}"


def parts(config: Config, kinds: Sequence[str] = KINDS) -> list[Candidate]:
    """All that the configuration would load here: what is taken, or else the best there is."""
    found, there = [], config.cluster.kinds
    for kind in (kind for kind in kinds if kind not in there):
        open_ = _open(kind, config)
        if open_ is None and getattr(config, kind).engine != AUTO:
            found.append(_named(kind, config))
        elif open_ and (one := _taken(kind, open_, config) or _best(kind, open_, config)):
            found.append(one)
    if config.speakers.enabled and "speakers" not in there:
        found.append(Candidate("speakers", config.speakers.engine, config.speakers.model))
    second = config.asr.second_model
    if second not in (AUTO, "none") and "asr" in kinds and "asr" not in there:
        found.append(Candidate("asr", config.asr.engine, second))
    if config.tts.listener is not None and "asr" not in there:
        found.append(Candidate("asr", "faster-whisper", config.tts.listener))
    return found


def require(
    config: Config, pull: str = "", *, also_named: bool = False, kinds: Sequence[str] = KINDS
) -> None:
    """See that nothing would have to be fetched that nobody asked for.

    Models that the configuration names are fetched when they are loaded, where that is possible.

    Args:
        config: checked.
        pull: see ``plan``.
        also_named: whether these too must be here already.
        kinds: what is used of the configuration.

    Raises:
        EngineError: the ``plan``.
    """
    _check_voice(config)
    strict, found = also_named or is_offline(), parts(config, kinds)
    if _absent(found, config):
        raise EngineError(plan(config, pull, kinds))
    for one in found:
        open_ = _open(one.kind, config) if one.kind in KINDS else None
        if (strict or open_ is not None) and not is_installed(one):
            raise EngineError(plan(config, pull, kinds))


def _check_voice(config: Config) -> None:
    """Refuse an engine that the table knows not to speak the language, before it is fetched."""
    if "tts" in config.cluster.kinds:
        return
    tts = config.tts
    known = {one.engine for one in candidates("tts", config.source, config.target)}
    if tts.engine in _SPEAKS_SOME and tts.model == "default" and tts.engine not in known:
        raise EngineError(
            f"tts.engine '{tts.engine}' does not speak {language_name(config.target)}: set it to "
            f"{' or '.join(sorted(known))}, see livedub languages --target {config.target}"
        )


def plan(config: Config, pull: str = "", kinds: Sequence[str] = KINDS) -> str:
    """What a dub would use, how large it is, and the command that gets it, for a screen.

    Args:
        config: checked.
        pull: arguments of ``livedub models pull`` that stand for the configuration.
        kinds: what is used of it.
    """
    source, target = config.source, config.target
    pair = f"{language_name(source)} to {language_name(target)}"
    found = parts(wanted(config), kinds)
    if absent := _absent(found, config):
        return _unknown(pair, config, "mt" in absent)
    lines = [f"To dub {pair}, livedub would use"]
    for one in found:
        size = f"about {one.megabytes} MB" if one.megabytes else "not here"
        state = "installed" if is_installed(one) else size
        licence = f", {one.licence}" if one.licence not in ("", "-") else ""
        lines.append(f"  {PURPOSES[one.kind]:12} {described(one)}: {state}{licence}")
    if is_offline():
        lines.append("livedub is offline; where there is a network, this gets what is missing:")
    elif total := sum(one.megabytes for one in found if to_fetch(one)):
        lines.append(f"About {total} MB to download, by")
    else:
        lines.append("It is installed by")
    lines.append(f"  {command(found, pull or _languages(config))}")
    return "\n".join([*lines, f"For others: livedub languages --source {source} --target {target}"])


def _absent(found: list[Candidate], config: Config) -> set[str]:
    """Kinds of engines of which nothing is known for the languages."""
    needed = {"tts"} if config.languages.several is not None else {"mt", "tts"}
    return needed - {one.kind for one in found} - set(config.cluster.kinds)


def _languages(config: Config) -> str:
    """The languages as arguments, if they alone make the configuration what it is."""
    plain = Config(languages=config.languages)
    if parts(wanted(plain)) != parts(wanted(config)):
        return ""
    return f"--source-lang {config.languages.written} --target-lang {config.target}"


def _unknown(pair: str, config: Config, translation: bool) -> str:
    kind = "mt" if translation else "tts"
    section = getattr(config, kind)
    what, key = ("translator from", "mt.model") if translation else ("voice for", "tts.voice")
    whose = "" if section.engine == AUTO else f" of {kind}.engine '{section.engine}'"
    named = pair if translation else language_name(config.target)
    return (
        f"No {what} {named}{whose} is known here: set {kind}.engine and {key} to one of your own, "
        "see docs/languages.md"
    )


def _open(kind: str, config: Config) -> list[Candidate] | None:
    """What there is to choose from, best first; ``None`` where there is nothing to choose here.

    The configuration may name it, or leave the choice to the nodes of a cluster.
    """
    if kind in config.cluster.kinds:
        return None
    section = getattr(config, kind)
    if kind == "asr":
        if section.model != AUTO or is_external(section.engine):
            return None
        return recognisers_by_worth(config.source, gpu=has_cuda())
    if section.engine == AUTO and kind == "mt" and config.languages.several is not None:
        return None  # each is chosen when its language occurs
    found = candidates(kind, config.source, config.target)
    if section.engine == AUTO:
        return found
    named = section.model != "default" or (kind == "tts" and section.voice not in _OPEN_VOICES)
    if section.engine not in _TABLED or named:
        return None
    return [one for one in found if one.engine == section.engine]


def _named(kind: str, config: Config) -> Candidate:
    """What the configuration names, with its size and licence where the table knows it."""
    section = getattr(config, kind)
    model = section.model
    if kind == "asr" and model == AUTO:
        model = "default"
    if section.engine == "piper" and model == "default":
        model = section.voice
    known = [
        *recognisers_by_worth(config.source, gpu=True),
        *candidates("mt", config.source, config.target),
        *candidates("tts", config.source, config.target),
    ]
    bare = Candidate(kind, section.engine, model)
    same = (one for one in known if (one.kind, one.engine, one.model) == (kind, bare.engine, model))
    return next(same, bare)


def _taken(kind: str, open_: Sequence[Candidate], config: Config) -> Candidate | None:
    # A voice that is too slow is better than none.
    return taken(open_, _carries(kind, config)) or taken(open_)


def _best(kind: str, open_: Sequence[Candidate], config: Config) -> Candidate | None:
    if kind == "asr" and not has_cuda():
        open_ = [one for one in open_ if not one.megabytes]
    if kind == "tts":
        open_ = [one for one in open_ if _carries(kind, config)(one)]
    return next(filter(may_be_taken, open_), None)


def _carries(kind: str, config: Config) -> Callable[[Candidate], bool]:
    """Whether this machine keeps up with a candidate that is on it."""
    if kind == "tts":
        return lambda one: keeps_up(one, config.playout.behind, usable_cores())
    if not has_cuda():
        return lambda one: not _is_large(one) or _encoding_s(one, config) <= ENCODING_S
    return lambda one: True


def _is_large(one: Candidate) -> bool:
    """Whether it is a Whisper model beyond those that come in packages."""
    return bool(one.megabytes) and one.engine in ("faster-whisper", "whisper")


def _encoding_s(one: Candidate, config: Config) -> float:
    from stages.asr.whisper_model import encoding_s

    return encoding_s(one.model, config.asr.compute_type, _threads(one, config))


def _threads(one: Candidate, config: Config) -> int:
    """For recognition: models beyond the packages get half of the machine."""
    least = config.asr.threads
    return max(least, usable_cores() // 2) if one.megabytes else least


def _why_not_better(
    kind: str, chosen: Candidate, open_: Sequence[Candidate], config: Config
) -> str:
    """A clause on what else there would be; empty if nothing."""
    before = open_[: open_.index(chosen)]
    if kind == "asr":
        return _of_recognition(chosen, before, config)
    clauses = []
    best = _best(kind, open_, config)
    if best is not None and best in before:
        clauses.append(f"{described(best)} is not installed")
    if kind == "tts" and (slow := [one for one in before if is_installed(one)]):
        names = " and ".join(map(described, slow))
        clauses.append(f"{names} is too slow for a delay of {config.playout.behind:g} s here")
    return "; ".join(clauses)


def _of_recognition(chosen: Candidate, before: Sequence[Candidate], config: Config) -> str:
    if has_cuda():
        return "on the GPU"
    if chosen.megabytes:
        return f"its encoder takes {_encoding_s(chosen, config):.2f} s here"
    for one in before:
        if one.megabytes and is_installed(one):
            took = _encoding_s(one, config)
            return f"the encoder of {one.model} takes {took:.2f} s here, {ENCODING_S} s is the most"
    return "on a CPU"


def _with(config: Config, found: dict[str, Candidate]) -> Config:
    update: dict[str, object] = {}
    if asr := found.get("asr"):
        changes = {"model": asr.model, "threads": _threads(asr, config)}
        update["asr"] = config.asr.model_copy(update=changes)
    if mt := found.get("mt"):
        model = mt.model if config.mt.model == "default" else config.mt.model
        update["mt"] = config.mt.model_copy(update={"engine": mt.engine, "model": model})
    if tts := found.get("tts"):
        voice = config.tts.voice
        if voice in _OPEN_VOICES and tts.model != "default":
            voice = tts.model
        update["tts"] = config.tts.model_copy(update={"engine": tts.engine, "voice": voice})
    return config.model_copy(update=update) if update else config
