"""Engines that do what a test tells them, in a pool like the daemon's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

import numpy as np

from server.config import Config
from server.engines.pool import EnginePool
from server.engines.shared import SharedEngine
from stages.base import Enhancer, Rendering, SpeechDetector, TargetWord
from stages.options import SoundConfig
from stream.frames import PLAIN, Embedding, Manner, Samples, Transcript

RATE = 24_000


class Recogniser:
    """Hears the number of the utterance."""

    def __init__(self) -> None:
        self.calls = 0

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        self.calls += 1
        return Transcript(f"utterance number {self.calls}", "en")

    async def aclose(self) -> None: ...


class Encoder:
    """Knows a voice by its number of zero crossings; or hangs, or fails."""

    def __init__(self, fault: Exception | float | None = None) -> None:
        self.fault = fault

    async def embed(self, audio: Samples) -> Embedding:
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            await asyncio.sleep(self.fault)
        rate = np.mean(np.abs(np.diff(np.sign(audio)))) * 40
        return np.array([np.cos(rate), np.sin(rate)], np.float32)

    async def aclose(self) -> None: ...


class Translator:
    async def translate(self, text: str) -> str:
        return f"{text} traduzida"

    async def aclose(self) -> None: ...


def continuations(whole: str, text: str, spoken: str) -> list[Rendering]:
    """What follows ``spoken`` in a translation word by word of ``text``."""
    begun = len(spoken.split())
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    words = list(zip(whole.split(), starts, strict=True))[begun:]
    aligned = tuple(TargetWord(f" {word}", start) for word, start in words)
    return [Rendering(" ".join(word for word, _ in words), -0.1, aligned)]


class Hindsight(Translator):
    """Says a sentence otherwise when it is over."""

    async def translate(self, text: str) -> str:
        return text.upper().replace("GO", "CLIMB") if text.endswith(".") else text.upper()

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        return continuations(await self.translate(text), text, spoken)


class Synthesiser:
    """A buzz of 2 kHz of the length that a voice would need, in two pieces."""

    sample_rate = RATE
    rate_range = (0.8, 1.3)
    characters_per_second = 30.0
    clones = False

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        length = round(len(text) / self.characters_per_second / manner.rate * RATE)
        time = np.arange(length) / RATE
        buzz = (0.2 * np.sin(2 * np.pi * 2000 * time)).astype(np.float32)
        yield buzz[: length // 2]
        yield buzz[length // 2 :]

    def check_voice(self, name: str) -> None: ...

    async def aclose(self) -> None: ...


class HangingSynthesiser(Synthesiser):
    """Speaks half of a sentence and then never goes on."""

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        async for piece in super().synthesise(text, manner):
            yield piece
            await asyncio.sleep(3600)


class ScriptedPool(EnginePool):
    """Gives out the scripted engines, with the real pool's turns and restarts."""

    def __init__(
        self,
        *,
        recogniser: Any = None,
        translator: Any = None,
        synthesiser: Any = None,
        on_restart: Callable[[str], None] = lambda kind: None,
    ) -> None:
        super().__init__(on_restart)
        self.made = {
            "asr": recogniser or Recogniser(),
            "mt": translator or Translator(),
            "tts": synthesiser or Synthesiser(),
            "speakers": Encoder(),
        }
        self.shared: dict[str, SharedEngine] = {}
        self.enhancer: Enhancer | None = None

    def _own(self, config: Config) -> tuple[SpeechDetector, Enhancer | None]:
        detector, _ = super()._own(config.model_copy(update={"sound": SoundConfig(enhance="none")}))
        return detector, self.enhancer

    async def _settled(self, config: Config) -> Config:
        return config

    async def engine(self, kind: str, config: Config, owner: str) -> SharedEngine:
        if kind not in self.shared:
            engine = self.made[kind]
            self.shared[kind] = SharedEngine(kind, "scripted", {}, engine, self._on_restart)
        return self.shared[kind]
