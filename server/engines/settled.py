"""``auto`` in the configuration, replaced by what is taken for it on this machine."""

from __future__ import annotations

import logging

from server.config import AUTO, Config
from stages.languages.choice import (
    best_translator,
    best_voice,
    described,
    translator_for,
    voice_for,
)
from stages.languages.table import Candidate

_LOG = logging.getLogger(__name__)


def settled(config: Config, *kinds: str) -> Config:
    """The configuration with engines by name, as far as ``auto`` left them open.

    Args:
        config: checked.
        kinds: ``mt`` or ``tts``, to settle that alone.

    Raises:
        EngineError: if nothing here serves the languages; it says what would, how large that is
            and which command gets it.
    """
    source, target = config.languages.source, config.target
    open_ = [kind for kind in kinds or ("mt", "tts") if getattr(config, kind).engine == AUTO]
    mt = translator_for(source, target) if "mt" in open_ else None
    tts = voice_for(source, target) if "tts" in open_ else None
    for taken in filter(None, (mt, tts)):
        _LOG.info("%s.engine auto takes %s", taken.kind, described(taken))
    return _with(config, mt, tts)


def wanted(config: Config) -> Config:
    """The same with the best engines there are, here or to be fetched."""
    source, target = config.languages.source, config.target
    return _with(
        config,
        best_translator(source, target) if config.mt.engine == AUTO else None,
        best_voice(target) if config.tts.engine == AUTO else None,
    )


def choice(config: Config) -> str | None:
    """One line about what ``auto`` took, and why; ``None`` if all engines were named.

    Raises:
        EngineError: as ``settled``.
    """
    source, target = config.languages.source, config.target
    taken: list[tuple[str, Candidate, Candidate | None]] = []
    if config.mt.engine == AUTO:
        best = best_translator(source, target)
        taken.append(("translation", translator_for(source, target), best))
    if config.tts.engine == AUTO:
        taken.append(("voice", voice_for(source, target), best_voice(target)))
    if not taken:
        return None
    said = "; ".join(
        f"{purpose} by {described(chosen)}"
        + ("" if chosen == best or best is None else f" ({described(best)} is not installed)")
        for purpose, chosen, best in taken
    )
    return f"{source} -> {target}: {said}"


def _with(config: Config, mt: Candidate | None, tts: Candidate | None) -> Config:
    update: dict[str, object] = {}
    if mt is not None:
        model = mt.model if config.mt.model == "default" else config.mt.model
        update["mt"] = config.mt.model_copy(update={"engine": mt.engine, "model": model})
    if tts is not None:
        voice = tts.model if config.tts.voice == "default" else config.tts.voice
        update["tts"] = config.tts.model_copy(update={"engine": tts.engine, "voice": voice})
    return config.model_copy(update=update) if update else config
