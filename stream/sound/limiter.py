"""A streaming true-peak limiter with look-ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.frames import Samples
from stream.sound.loudness import intersample_peaks, overshoot_bound
from stream.timeline import FRAME, TICK_RATE

_REACH = 6
"""Samples that an inter-sample peak depends on, to either side."""

_MARGIN = 10 ** (-0.1 / 20)
"""Aim this far below the ceiling once it is exceeded: gain that moves within the reach of
the interpolator can raise the peak between samples by a little."""


class Limiter:
    """Holds the true peak of a stream under a ceiling; leaves anything below it untouched.

    The gain reduction that each inter-sample peak needs is held over the look-ahead window,
    released exponentially, then smoothed by two box filters that together span the window:
    it is complete when the peak arrives and has no corner that could click. (The scheme is
    that of Signalsmith's "Designing a straightforward limiter", 2022.) All channels share
    one gain, so the stereo image does not move.

    Every block comes back with its own length, ``latency`` samples late: the first
    ``latency`` samples out are silence, and `flush` returns the last ones.

    Args:
        channels: number of channels of every block.
        ceiling_db: highest true peak of the output, dBTP.
        rate: sampling rate, Hz.
        lookahead: seconds over which the gain comes down; part of the latency.
        release: time constant of the way back, seconds.
    """

    def __init__(
        self,
        channels: int,
        *,
        ceiling_db: float = -1.0,
        rate: int = TICK_RATE,
        lookahead: float = 0.004,
        release: float = 0.1,
    ) -> None:
        self._ceiling = 10 ** (ceiling_db / 20)
        self._box = max(2 * _REACH, round(lookahead * rate / 2))
        self._hold = 2 * self._box - 1 + 2 * _REACH
        self.latency = self._hold - 1
        """Samples by which the output is behind the input."""
        self._decay = np.exp(-np.arange(1, FRAME + 1) / (release * rate))
        self._delayed = np.zeros((self.latency, channels), np.float32)
        self._needed = np.zeros(self._hold - 1)
        self._held = 0.0
        self._smoothing = np.zeros(2 * (self._box - 1))

    def process(self, block: Samples) -> Samples:
        """Limit the next block.

        Args:
            block: shape ``(n, channels)``, any ``n``.

        Returns:
            Shape ``(n, channels)``: the stream as it was ``latency`` samples ago, limited.
        """
        frames = [self._frame(block[at : at + FRAME]) for at in range(0, len(block), FRAME)]
        if len(frames) == 1:
            return frames[0]
        return np.concatenate(frames) if frames else block

    def flush(self) -> Samples:
        """The last ``latency`` samples of the stream; the limiter is then reset."""
        tail = self.process(np.zeros((self.latency, self._delayed.shape[1]), np.float32))
        self._delayed[:] = 0
        self._needed[:] = 0
        self._smoothing[:] = 0
        self._held = 0.0
        return tail

    def _frame(self, block: Samples) -> Samples:
        n = len(block)
        joined = np.concatenate([self._delayed, block])
        self._delayed = joined[n:]
        reduction = self._reduction(joined[-n - 2 * _REACH + 1 :], n)
        out = joined[:n]
        if reduction is None:
            return out.copy()
        return out * (1 - reduction).astype(np.float32)[:, None]

    def _reduction(self, sound: Samples, n: int) -> NDArray[np.float64] | None:
        """One minus the gain for each of the ``n`` samples that leave now; None for all 0."""
        quiet = np.abs(sound).max() * overshoot_bound() <= self._ceiling
        if quiet and not self._held and not self._needed.any() and not self._smoothing.any():
            return None
        needed = np.zeros(n)
        if not quiet:
            peaks = intersample_peaks(sound)
            over = peaks > self._ceiling
            needed[over] = 1 - self._ceiling * _MARGIN / peaks[over]
        recent = np.concatenate([self._needed, needed])
        self._needed = recent[n:]
        released = self._release(_moving_maximum(recent, self._hold))
        smooth = np.concatenate([self._smoothing, released])
        self._smoothing = smooth[n:]
        return _moving_mean(_moving_mean(smooth, self._box), self._box)

    def _release(self, held: NDArray[np.float64]) -> NDArray[np.float64]:
        """``y[n] = max(held[n], decay * y[n - 1])`` as one running maximum."""
        decay = self._decay[: len(held)]
        released = np.maximum(np.maximum.accumulate(held / decay), self._held) * decay
        released[released < 1e-6] = 0.0  # 0.00001 dB: let the gain come back to exactly 1
        self._held = float(released[-1])
        return released


def _moving_maximum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The largest of each ``width`` neighbours, from those of half as many."""
    reach = 1
    while reach < width:
        more = min(reach, width - reach)
        values = np.maximum(values[:-more], values[more:])
        reach += more
    return values


def _moving_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    total = np.cumsum(np.concatenate([[0.0], values]))
    mean: NDArray[np.float64] = (total[width:] - total[:-width]) / width
    return mean
