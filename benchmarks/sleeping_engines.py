"""Engines that take their time and do nothing else, for figures that no model blurs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np

from stream.frames import PLAIN, Embedding, Manner, Samples, Transcript

SERVICE_S = float(os.environ.get("SERVICE_S", "0.02"))
"""Seconds that a call takes."""

RATE = 24_000


class Sleeper:
    """Takes any options."""

    def __init__(self, **options: Any) -> None: ...

    async def aclose(self) -> None:
        """Nothing is held."""


class Recogniser(Sleeper):
    """Hears its process."""

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Sleep."""
        await asyncio.sleep(SERVICE_S)
        return Transcript(str(os.getpid()), "en")


class Translator(Sleeper):
    """Says the same."""

    async def translate(self, text: str) -> str:
        """Sleep."""
        await asyncio.sleep(SERVICE_S)
        return text


class Encoder(Sleeper):
    """Knows one voice."""

    async def embed(self, audio: Samples) -> Embedding:
        """Sleep."""
        await asyncio.sleep(SERVICE_S)
        return np.ones(256, np.float32) / 16


class Synthesiser(Sleeper):
    """Is silent for four seconds, in four pieces."""

    sample_rate = RATE
    rate_range = (0.8, 1.3)
    characters_per_second = 15.0
    clones = False

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Sleep a quarter of the time before each piece."""
        for _ in range(4):
            await asyncio.sleep(SERVICE_S / 4)
            yield np.zeros(RATE, np.float32)

    def check_voice(self, name: str) -> None:
        """Any will do."""
