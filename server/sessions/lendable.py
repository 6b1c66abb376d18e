"""Settings of sessions made over the API: none names a file or model that was not declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from server.config import AUTO, Config
from server.sessions.spec import SpecError
from stages.options import MATCH
from stages.weights.known import KNOWN
from stages.weights.resolve import on_the_hub

_MODELS = (
    "asr.model",
    "asr.denoise_model",
    "speakers.model",
    "mt.model",
    "tts.model",
    "tts.listener",
)

_EMBEDDED = {"kokoro", "espeak"}
"""Synthesisers whose voices are names of their own, and never files."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,63}")


def check_settings(settings: Mapping[str, Any], config: Config) -> None:
    """Refuse settings that reach for what is not declared.

    Args:
        settings: values by ``section.key``.
        config: the daemon's, whose own models and voices are declared, as are the packaged models
            and what ``serve.models`` and ``serve.voices`` list.

    Raises:
        SpecError: naming the setting.
    """
    serve = config.serve
    models = {"default", AUTO, *KNOWN, *serve.models}
    for name in _MODELS:
        section, _, key = name.partition(".")
        own = getattr(getattr(config, section), key)
        if name in settings and settings[name] is not None:
            _lent(name, settings[name], models | {str(own)}, "serve.models")
    if settings.get("tts.consent", config.tts.consent) != config.tts.consent:
        raise SpecError(
            "tts.consent is for the operator to give, in the daemon's own configuration"
        )
    for key in ("disclose", "tone"):
        name = f"output.{key}"
        if getattr(config.output, key) and not settings.get(name, True):
            raise SpecError(f"{name} is for the operator to turn off, who has it on")
    engine = settings.get("tts.engine", config.tts.engine)
    if engine == config.tts.engine:
        own_voices = {config.tts.voice, *config.tts.voices.values()}
    else:
        own_voices = set()
    voices = {"default", AUTO, MATCH, *own_voices, *serve.voices}
    for voice in _voices(settings):
        if isinstance(voice, str) and _NAME.fullmatch(voice) and _is_own(engine, voice):
            continue
        _lent("tts.voice", voice, voices, "serve.voices")


def _is_own(engine: Any, voice: str) -> bool:
    """Whether a plain name can be nothing but one of the engine's own voices."""
    # What auto takes clones nobody, but Piper would open a file of that name.
    return engine in _EMBEDDED or (engine == AUTO and not Path(voice).exists())


def _voices(settings: Mapping[str, Any]) -> Iterable[Any]:
    if "tts.voice" in settings:
        yield settings["tts.voice"]
    several = settings.get("tts.voices")
    if isinstance(several, dict):
        yield from several.values()


def _lent(name: str, value: Any, declared: set[str], where: str) -> None:
    same = isinstance(value, str) and on_the_hub(value) in map(on_the_hub, declared)
    if not same:
        raise SpecError(
            f"{name} is not one that sessions of the API may have: the operator lists those in "
            f"{where}"
        )
