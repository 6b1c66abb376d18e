"""Whose voice may be cloned: nobody's unless it was said that they have agreed."""

from __future__ import annotations

from pathlib import Path

from stages.base import EngineError
from stages.speakers import voice_store
from stages.speakers.blend import parse_voice


def unagreed(voice: str) -> str | None:
    """Whose recordings an engine that clones would be given without consent, as part of a sentence.

    Args:
        voice: as ``tts.voice`` has it: names, recordings, and blends of them. Stored voices are
            told with their consent; recordings cannot tell it.

    Returns:
        ``None`` if nobody's: the names are the engine's own, or consent is recorded.

    Raises:
        EngineError: if it cannot be understood, or a stored voice is damaged.
    """
    for name, _ in parse_voice(voice):
        if voice_store.is_stored(name):
            if voice_store.load(name).consent is None:
                return f"the stored voice '{name}'"
        elif _is_recording(name):
            return f"the recording {name}"
    return None


def check_consent(voice: str) -> None:
    """Refuse to clone who has not agreed.

    Raises:
        EngineError: saying how consent is given.
    """
    if (whose := unagreed(voice)) is not None:
        raise EngineError(
            f"{whose} would be cloned: once the person has agreed to it, set tts.consent to true, "
            "or store the voice with livedub voices add --consent"
        )


def _is_recording(name: str) -> bool:
    return any(mark in name for mark in "/\\,.") or Path(name).expanduser().exists()
