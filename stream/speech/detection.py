"""Voice activity detection of one source: windows of mono speech with their probabilities."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stream.errors import message
from stream.frames import SPEECH_RATE, AudioChunk, Samples
from stream.sound.channels import SpeechChannels
from stream.sound.leveller import Leveller
from stream.sound.resample import Resampler
from stream.timeline import TICK_RATE

log = logging.getLogger(__name__)

REST_S = 5.0
"""After a detector has hung, a live source goes without it for this long."""


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """A detector, as an engine provides it.

    Attributes:
        probabilities: mono windows at ``SPEECH_RATE`` to one speech probability each; rolling.
        window: samples a window.
        deadline: wall seconds for one call.
    """

    probabilities: Callable[[Samples], Awaitable[Samples]]
    window: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Windows:
    """Whole VAD windows in order.

    Attributes:
        audio: mono at ``SPEECH_RATE``, shape ``(n * window,)``.
        probabilities: of speech, shape ``(n,)``.
    """

    audio: Samples
    probabilities: Samples

    def each(self) -> list[Windows]:
        """One by one."""
        parts = np.split(self.audio, len(self.probabilities))
        return [Windows(part, self.probabilities[i : i + 1]) for i, part in enumerate(parts)]


class Detects(Protocol):
    """Finds the speech in a source."""

    async def push(self, chunks: Sequence[AudioChunk]) -> Windows:
        """Of what comes next."""
        ...

    async def flush(self) -> Windows:
        """Of the rest."""
        ...


class Detection:
    """Runs a detector over a source, quiet speech raised; where it fails, windows count as silence.

    Args:
        detector: of this source alone.
        channels: which of the source's channels speech is taken from.
        live: whether media keeps coming while the detector hangs.
    """

    def __init__(self, detector: VoiceActivity, channels: SpeechChannels, *, live: bool) -> None:
        self._detector = detector
        self._channels = channels
        self._live = live
        self._leveller = Leveller(detector.window)
        self._analysis = Resampler(TICK_RATE, SPEECH_RATE)
        self._rest = np.zeros(0, np.float32)
        self._resting_until = 0.0
        self.probabilities: list[Samples] = []
        """Of the source so far, one per window; not kept for an endless one."""
        self.skipped = 0
        """VAD windows skipped because the detector failed."""

    @property
    def notes(self) -> list[str]:
        """What the channels were found to carry, one sentence each."""
        return self._channels.notes

    async def push(self, chunks: Sequence[AudioChunk]) -> Windows:
        """Detect speech in what comes next, as far as it fills whole windows."""
        mono = [self._channels.mono(chunk) for chunk in chunks]
        return await self._detect(self._analysis.push(np.concatenate(mono)))

    async def flush(self) -> Windows:
        """The rest of the source; a last window is filled up with silence."""
        rest = self._analysis.flush()
        window = self._detector.window
        missing = -(len(self._rest) + len(rest)) % window
        return await self._detect(np.pad(rest, (0, missing)))

    async def _detect(self, audio: Samples) -> Windows:
        window = self._detector.window
        audio = np.concatenate([self._rest, audio])
        count = len(audio) // window
        audio, self._rest = audio[: count * window], audio[count * window :]
        probabilities = np.zeros(count, np.float32)
        loop = asyncio.get_running_loop()
        if loop.time() < self._resting_until:
            self.skipped += count
        elif count:
            try:
                async with asyncio.timeout(self._detector.deadline):
                    levelled = self._leveller.raised(audio)
                    probabilities = await self._detector.probabilities(levelled)
            except Exception as error:
                log.warning("voice activity detection failed: %s", message(error))
                self.skipped += count
                if self._live and isinstance(error, TimeoutError):
                    # Media keeps coming: it cannot wait for a detector that hangs.
                    self._resting_until = loop.time() + REST_S
        if not self._live:
            self.probabilities.append(probabilities)
        return Windows(audio, probabilities)
