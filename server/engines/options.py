"""How the configuration makes each engine: its name and options in the registry."""

from __future__ import annotations

from typing import Any

from server.config import AUTO, Config
from server.engines.cores import usable_cores
from server.engines.settled import KINDS, settled
from server.engines.speaker_encoder import ENCODER
from stages.options import MATCH
from stages.registry import find, section_of
from stages.weights.resolve import whisper_translates


def options_of(kind: str, config: Config) -> tuple[str, dict[str, Any]]:
    """Name and options with which the registry makes the engine of a kind.

    Raises:
        EngineError: if it is chosen by the languages, and nothing here serves them.
    """
    if kind in KINDS:
        config = settled(config, kind)
    section = getattr(config, kind)
    if kind == "speakers":
        engine = ENCODER if section.engine == AUTO else section.engine
        return engine, {"model": section.model}
    # More threads than cores wait for each other.
    threads = min(section.threads, usable_cores())
    model = "default" if section.model == AUTO else section.model  # of an engine from outside
    options: dict[str, Any] = {"model": model, "threads": threads}
    if kind == "asr":
        options |= {
            "language": config.languages.one or "",
            "beam_size": section.beam_size,
            "compute_type": section.compute_type,
        }
    elif kind == "mt":
        options |= {
            "source": config.source,
            "target": config.target,
            "beam_size": section.beam_size,
        }
        if section.engine == "whisper":
            options |= _as_recognition(config)
    else:
        voice = "default" if section.voice in (AUTO, MATCH) else section.voice
        options |= {"voice": voice, "language": config.target}
    return section.engine, options | own_options(kind, section.engine, config)


def _as_recognition(config: Config) -> dict[str, Any]:
    """What a translator has to be made with to share the model of recognition, if it can."""
    asr, model = settled(config, "asr").asr, config.mt.model
    if model == "default" and whisper_translates(asr.model):
        model = asr.model
    threads = min(asr.threads, usable_cores())
    return {"model": model, "threads": threads, "compute_type": asr.compute_type}


def own_options(kind: str, engine: str, config: Config) -> dict[str, Any]:
    """What an engine takes beside its kind's options: its own section, if it has one."""
    if not find(kind, engine).options:
        return {}
    return {"options": getattr(config, section_of(engine))}
