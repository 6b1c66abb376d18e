"""Streaming sample-rate conversion of numpy audio by FFmpeg's libswresample."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from stream.frames import Samples


class Resampler:
    """Converts a mono stream from one rate to another, block by block, without moving it.

    The converter holds back a few milliseconds for its filter: ``push`` may return fewer
    samples than came in, and ``flush`` the rest. Sample ``k`` of the output is at time
    ``k / target`` of the input.
    """

    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._swr = av.AudioResampler("flt", "mono", target)
        self._fed = 0

    def push(self, samples: Samples) -> Samples:
        """Convert the next block, shape ``(n,)``."""
        if not len(samples):
            return samples
        if self._source == self._target:
            return samples
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32)[None], format="flt", layout="mono"
        )
        frame.sample_rate = self._source
        frame.time_base = Fraction(1, self._source)
        frame.pts = self._fed
        self._fed += len(samples)
        return _joined(self._swr.resample(frame))

    def flush(self) -> Samples:
        """What the filter still held; the stream has ended."""
        if self._source == self._target or not self._fed:
            return np.zeros(0, np.float32)
        return _joined(self._swr.resample(None))


def resample(samples: Samples, source: int, target: int) -> Samples:
    """Convert a whole mono signal, shape ``(n,)``, to ``round(n * target / source)`` samples."""
    converter = Resampler(source, target)
    out = np.concatenate([converter.push(samples), converter.flush()])
    wanted = round(len(samples) * target / source)
    return np.pad(out[:wanted], (0, max(0, wanted - len(out))))


def _joined(frames: list[av.AudioFrame]) -> Samples:
    if not frames:
        return np.zeros(0, np.float32)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])
