"""First calls, which allocate memory and show how fast a voice is on this machine."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from stages.base import SpeechTranslator, Synthesiser
from stream.frames import SPEECH_RATE

PHRASE = "1, 2, 3, 4, 5, 6, 7, 8."
"""What a voice speaks to show its pace, in any language."""


async def warm_up(kind: str, engine: Any) -> float:
    """Run an engine once, so that its first call does not cost the first viewer.

    Args:
        kind: of the registry.
        engine: one of that kind.

    Returns:
        Wall seconds that a synthesiser takes for a second of speech; 0 for others.
    """
    noise = np.random.default_rng(0).normal(0, 0.01, SPEECH_RATE).astype(np.float32)
    if kind == "asr":
        await engine.recognise(noise)
    elif isinstance(engine, SpeechTranslator):
        await engine.translate_speech(noise)
    elif kind == "mt":
        await engine.translate("Hello.")
    elif kind == "speakers":
        await engine.embed(noise)
    else:
        return await pace(engine)
    return 0.0


async def pace(synthesiser: Synthesiser) -> float:
    """Wall seconds that a synthesiser takes for a second of speech, once it is warm."""
    for text in ("1.", PHRASE):
        began, length = time.perf_counter(), 0
        async for piece in synthesiser.synthesise(text):
            length += len(piece)
    return (time.perf_counter() - began) / max(length / synthesiser.sample_rate, 0.1)
