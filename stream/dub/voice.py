"""The synthesiser as a dub uses it: how fast it is to speak, and its speech, checked."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.duration import DurationModel
from stream.dub.fit import FitOptions, speaking_rate
from stream.dub.job import StageFault
from stream.frames import Manner, Samples
from stream.sound.resample import Resampler
from stream.timeline import TICK_RATE, Interval, seconds

RATE_STEP = 0.02
"""Between speaking rates that are asked for: finer ones are not heard, and a sentence that is asked
for again is asked for in the same way."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A synthesiser, as an engine provides it.

    Attributes:
        synthesise: text and the manner of speaking to pieces of mono speech.
        sample_rate: of the pieces, Hz.
        rate_range: slowest and fastest natural rate.
        characters_per_second: typical speed at rate 1.
        cast: label of a speaker, and a media time in ticks, to the voice that speaks for them then,
            as ``Manner.voice``.
    """

    synthesise: Callable[[str, Manner], AsyncGenerator[Samples, None]]
    sample_rate: int
    rate_range: tuple[float, float]
    characters_per_second: float
    cast: Callable[[str, int], str] = lambda speaker, time: ""


@dataclass(slots=True)
class Reading:
    """One text being spoken.

    Attributes:
        text: what is spoken.
        slot: where it is to be heard.
        speaker: label of who said the original.
        rate: speaking rate asked of the engine.
        expected: ticks that the speech is expected to take at that rate.
        voice: asked of the engine.
        pieces: wall seconds from asking for speech to its first piece and to its newest one.
    """

    text: str
    slot: Interval
    speaker: str
    rate: float
    expected: int
    voice: str
    pieces: tuple[float, float] | None = None


class Reader:
    """Has a voice read texts, and learns how long it takes for them.

    Args:
        voice: the synthesiser.
        pacing: how much time is left.
        options: limits of the fit.
    """

    def __init__(self, voice: Voice, pacing: Pacing, options: FitOptions) -> None:
        self._voice = voice
        self._pacing = pacing
        self._options = options
        self.durations = DurationModel(voice.characters_per_second)
        """Learns from everything that is read."""

    def expected(self, text: str) -> int:
        """Ticks that the voice will take for ``text`` at its own rate."""
        return self.durations.expected(text)

    def reading(self, text: str, slot: Interval, speaker: str) -> Reading:
        """A reading of ``text`` at the rate that fits the slot, within the natural range."""
        slowest, fastest = self._voice.rate_range
        expected = self.expected(text)
        rate = RATE_STEP * round(speaking_rate(expected, slot, self._options) / RATE_STEP)
        rate = round(min(max(rate, slowest), fastest), 4)
        voice = self._voice.cast(speaker, slot.start)
        return Reading(text, slot, speaker, rate, round(expected / rate), voice)

    async def read(self, reading: Reading) -> AsyncGenerator[Samples, None]:
        """The speech of a reading, mono at 48 kHz, in pieces as they are made.

        Raises:
            StageFault: if the engine gives nothing, samples that are not numbers, or far too much.
        """
        limit, length = 3 * reading.expected + 3 * TICK_RATE, 0
        converter = Resampler(self._voice.sample_rate, TICK_RATE)
        left = self._pacing.time_left(reading.slot.start)
        manner = Manner(
            reading.rate,
            reading.speaker,
            seconds(reading.slot.duration),
            None if math.isinf(left) else time.monotonic() + left,
            reading.voice,
        )
        clock = asyncio.get_running_loop().time
        began = clock()
        async with contextlib.aclosing(self._voice.synthesise(reading.text, manner)) as pieces:
            async for piece in pieces:
                after = clock() - began
                reading.pieces = (reading.pieces[0] if reading.pieces else after, after)
                if not np.isfinite(piece).all():
                    raise StageFault("the speech holds samples that are not numbers")
                converted = converter.push(piece)
                length += len(converted)
                if length > limit:
                    raise StageFault(
                        f"over {seconds(limit):.0f} s of speech for {len(reading.text)} characters"
                    )
                yield converted
        rest = converter.flush()
        if not length + len(rest):
            raise StageFault("no speech came back")
        self.durations.observe(reading.text, length + len(rest), reading.rate)
        yield rest
