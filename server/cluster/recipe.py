"""The part of a configuration from which one engine is made, as text that can travel.

What ``auto`` stands for is settled by the node that makes the engine, as it would be here.
"""

from __future__ import annotations

from typing import Any

from server.config import AUTO, Config
from stages.registry import find, section_of

_ALSO: dict[str, dict[str, Any]] = {"tts": {"playout": {"delay"}}}
"""What else decides which engine ``auto`` takes: a voice has to keep up with the delay."""

_NOT_OF_ENGINES = {"deadline", "consent", "listener", "alternatives", "length_weight", "context"}
"""Settings of a section that no engine is made from."""


def recipe_of(kind: str, config: Config) -> str:
    """What makes the engine of a kind; equal for equal engines."""
    engine = getattr(config, kind).engine
    wanted: dict[str, Any] = {"languages": True, kind: True, **_ALSO.get(kind, {})}
    if engine != AUTO and find(kind, engine).options:
        wanted[section_of(engine)] = True
    if kind == "mt" and engine == "whisper":
        wanted["asr"] = True  # which it shares its model with
    return config.model_dump_json(
        include=wanted, exclude={kind: _NOT_OF_ENGINES}, exclude_defaults=True
    )


def config_of(recipe: str) -> Config:
    """The configuration that a recipe was taken from, as far as it matters."""
    return Config.model_validate_json(recipe)
