"""Engines that take their time and no processor: what scheduling does, without what models cost.

    --set asr.engine=benchmarks.sleeping:Recogniser asr.mode=utterance
    --set mt.engine=benchmarks.sleeping:Translator --set tts.engine=benchmarks.sleeping:Synthesiser

How long they take is in the environment, ``SLEEPING="asr=0.1 mt=0.2 tts=0.5"``: seconds for a
second of sound that is recognised, for a sentence, and for a second of speech. What they answer
depends on what they are asked alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator

import numpy as np

from stream.frames import PLAIN, SPEECH_RATE, Manner, Samples, Transcript, Word

VARIABLE = "SLEEPING"

SETTINGS = (
    "asr.engine=benchmarks.sleeping:Recogniser",
    "asr.model=none",
    "asr.mode=utterance",
    "mt.engine=benchmarks.sleeping:Translator",
    "tts.engine=benchmarks.sleeping:Synthesiser",
    "sound.enhance=none",
)
"""Of livedub, with which these engines are taken."""

WORDS = ("the", "boat", "goes", "over", "a", "wide", "river", "and", "back", "to", "its", "harbour")


def service_s(kind: str) -> float:
    """Seconds that a unit of work takes."""
    given = dict(part.split("=") for part in os.environ.get(VARIABLE, "").split())
    return float(given.get(kind, 0))


class _Sleeping:
    def __init__(self, **options: object) -> None: ...

    async def aclose(self) -> None:
        """Nothing is held."""


class Recogniser(_Sleeping):
    """Hears three words a second, which they are by the sound."""

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Take a while."""
        length = len(audio) / SPEECH_RATE
        await asyncio.sleep(service_s("asr") * length)
        digest = hashlib.sha256(audio.tobytes()).digest()
        heard = [WORDS[byte % len(WORDS)] for byte in digest[: max(1, min(32, round(3 * length)))]]
        heard = f"{' '.join(heard).capitalize()}.".split()
        each = length / len(heard)
        timed = [Word(word, n * each, (n + 1) * each, 1.0) for n, word in enumerate(heard)]
        return Transcript(" ".join(heard), "en", words=tuple(timed) if words else ())


class Translator(_Sleeping):
    """Says the words backwards."""

    async def translate(self, text: str) -> str:
        """Take a while."""
        await asyncio.sleep(service_s("mt"))
        return " ".join(word[::-1] for word in text.rstrip(".").split()) + "."


class Synthesiser(_Sleeping):
    """A buzz, as long as a voice would need."""

    sample_rate = 24_000
    rate_range = (0.8, 1.3)
    characters_per_second = 15.0
    clones = False

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Take a while."""
        length = len(text) / self.characters_per_second / manner.rate
        await asyncio.sleep(service_s("tts") * length)
        time = np.arange(round(length * self.sample_rate)) / self.sample_rate
        yield (0.2 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)

    def check_voice(self, name: str) -> None:
        """It has but one."""
