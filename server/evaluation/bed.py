"""Where a dubbed track holds nothing but the original: between dubs, and where dubbing failed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import correlate

from stream.frames import SPEECH_RATE, Samples

FRAME = SPEECH_RATE // 100
"""Samples in one verdict, 10 ms."""

_WINDOW_FRAMES = 10  # 100 ms: longer than a pitch period, shorter than a syllable
_COHERENT = 0.6
_REACH = SPEECH_RATE // 10  # samples


def bed_gain(dubbed: Samples, original: Samples) -> NDArray[np.float32]:
    """Gain at which each frame of ``dubbed`` repeats ``original``; NaN where it is something else.

    Over 100 ms the dubbed sound is projected on the original, by least squares. Where that
    explains most of its energy there is only the original, ducked or not; a voice on top, or
    silence, leaves it unexplained.

    Args:
        dubbed: mono at ``SPEECH_RATE``, shape ``(n,)``.
        original: the same, on the same timeline; up to 100 ms of offset are found and undone.

    Returns:
        Shape ``(ceil(n / FRAME),)``.
    """
    count = -(-len(dubbed) // FRAME)
    theirs = _aligned(original, dubbed)
    ours = np.pad(dubbed, (0, count * FRAME - len(dubbed)))
    theirs = np.pad(theirs, (0, max(0, len(ours) - len(theirs))))[: len(ours)]

    def energy(a: Samples, b: Samples) -> NDArray[np.float64]:
        products = np.einsum("nk,nk->n", a.reshape(-1, FRAME), b.reshape(-1, FRAME))
        smooth: NDArray[np.float64] = uniform_filter1d(
            products.astype(np.float64), _WINDOW_FRAMES, mode="constant"
        )
        return smooth

    cross, own, other = energy(ours, theirs), energy(ours, ours), energy(theirs, theirs)
    floor = 1e-9 * FRAME
    explained = cross**2 / np.maximum(own * other, floor**2)
    gain = cross / np.maximum(other, floor)
    only = (explained > _COHERENT) & (own > floor) & (other > floor)
    return np.where(only, gain, np.nan).astype(np.float32)


def _aligned(original: Samples, dubbed: Samples) -> Samples:
    """The original moved to where the dubbed track repeats it best."""
    length = min(len(original), len(dubbed), 120 * SPEECH_RATE)
    if length <= 2 * _REACH:
        return original
    ours = dubbed[_REACH : length - _REACH]
    match = np.abs(correlate(original[:length], ours, "valid", "fft"))
    lag = int(np.argmax(match)) - _REACH
    # Without the original in it, a dub has no peak that can be trusted.
    if match.max() < 8 * np.median(match):
        return original
    return original[lag:] if lag >= 0 else np.pad(original, (-lag, 0))
