"""In which of a source's channels its speech is, and how much of it.

It goes frame by frame, so that it does not depend on how the sound is divided.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.frames import Samples
from stream.timeline import TICK_RATE

Precise = NDArray[np.float64]

FRAME = TICK_RATE // 100
"""Ticks (10 ms) that have one value."""

MEMORY_S = 2.0
"""Seconds over which levels are averaged."""

FLOOR = 10 ** (-9.0)
"""Mean power (-90 dBFS) below which nothing is told."""

MOST = 4.0
"""Largest share of the speech in one channel: the mean of two that nearly cancel has little."""


class ChannelShares:
    """How much of the speech in the mono sound is in each channel: as its waveform has it.

    Args:
        channels: of the sound.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._common = np.zeros(channels)
        self._all = 0.0
        self._shares = np.ones(channels)

    def of(self, sound: Samples, mono: Samples, speech: Samples) -> Samples:
        """The speech in each channel, shape ``(n, channels)``.

        Args:
            sound: shape ``(n, channels)``.
            mono: what the speech was found in, shape ``(n,)``.
            speech: shape ``(n,)``.
        """
        if self.channels == 1:
            return speech[:, None]
        out = np.empty((len(speech), self.channels), np.float32)
        for start in range(0, len(speech), FRAME):
            stop = min(start + FRAME, len(speech))
            inner: Precise = speech[start:stop].astype(np.float64)
            fade = np.linspace(0, 1, stop - start)[:, None]
            before = self._shares
            self._learn(sound[start:stop], mono[start:stop], inner)
            out[start:stop] = inner[:, None] * (before + (self._shares - before) * fade)
        return out

    def _learn(self, sound: Samples, mono: Samples, speech: Precise) -> None:
        kept = 1 - FRAME / TICK_RATE / MEMORY_S
        self._common = self._common * kept + speech @ sound / len(speech)
        self._all = self._all * kept + float(speech @ mono) / len(speech)
        if self._all > FLOOR:
            self._shares = np.clip(self._common / self._all, -MOST, MOST)
