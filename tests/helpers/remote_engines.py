"""Engines for the replicas of a real cluster: tiny, and telling who has answered."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np

from stages.base import EngineError, Rendering
from stream.frames import PLAIN, Manner, Samples, Transcript

RATE = 16_000


class Recogniser:
    """Hears how long the sound is, and how loud; its language is the number of its process."""

    known = ("en", "slow")

    def __init__(self, **options: Any) -> None: ...

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        audio *= 2  # an engine's own to write to
        text = f"{len(audio)} {audio.dtype} {float(np.abs(audio).max(initial=0)):.3f} {words}"
        return Transcript(text, str(os.getpid()))

    async def languages(self, audio: Samples) -> dict[str, float]:
        return {"en": 1.0}

    async def recognise_in(
        self, audio: Samples, language: str, *, words: bool = False
    ) -> Transcript:
        if language == "slow":
            await asyncio.sleep(0.4)
        return Transcript("", language)

    async def aclose(self) -> None: ...


class Translator:
    """Upper case; ``sleep N`` takes N seconds, ``fail`` fails."""

    def __init__(self, **options: Any) -> None:
        self.target = options["target"]
        if options["model"] == "broken":
            raise EngineError("the model is broken: get another")

    async def translate(self, text: str) -> str:
        if text == "pid":
            return str(os.getpid())
        if text == "fail":
            raise ValueError("that cannot be said")
        if text.startswith("sleep "):
            await asyncio.sleep(float(text.split()[1]))
        return f"{self.target}: {text.upper()}"

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        return [Rendering(text.upper()[:n], -n) for n in range(1, count + 1)]

    async def aclose(self) -> None: ...


class BySound:
    """Tells how long the sound is, and what was spoken of it."""

    cost = 0.4

    def __init__(self, **options: Any) -> None: ...

    async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
        return f"{len(speech)} after {spoken}"

    async def aclose(self) -> None: ...


class Synthesiser:
    """A second of sound for each word, and what its voice is made of in the first sample."""

    sample_rate = RATE
    rate_range = (0.8, 1.3)
    characters_per_second = 15.0
    clones = True

    def __init__(self, **options: Any) -> None:
        self.voice = options["voice"]
        self.cancelled = Path(os.environ.get("LIVEDUB_TEST_CANCELLED", os.devnull))

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        mark = voice_mark(Path(manner.voice)) if manner.voice else 0.25
        try:
            for word in text.split():
                if word.startswith("slow"):
                    await asyncio.sleep(0.3)
                yield np.full(RATE // 10, mark, np.float32)
        except asyncio.CancelledError:
            self.cancelled.write_text(text)
            raise

    def check_voice(self, name: str) -> None:
        raise EngineError(f"there is no voice '{name}'")

    async def aclose(self) -> None: ...


def voice_mark(folder: Path) -> float:
    """A number for what is in the clips of a voice."""
    files = sorted(folder.glob("*.wav")) if folder.is_dir() else [folder]
    whole = hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()
    return 0.3 + whole[0] / 512
