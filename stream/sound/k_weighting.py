"""The frequency weighting of ITU-R BS.1770-4: what low and high sounds count for in loudness."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream.frames import Samples

_MEMORY_S = 0.2
"""The response to one sample is below the resolution of a double by then."""

_TRANSFORM = 1 << 15
"""Samples that are transformed at once; more at rates where the memory is almost as long."""


def k_weighted(samples: Samples, rate: int) -> NDArray[np.float64]:
    """The sound as loudness sees it: a high shelf of 4 dB at 1.5 kHz, a high-pass at 38 Hz.

    Both are recursive (BS.1770-4, Annex 1). Their response fades within ``_MEMORY_S``, so
    the product of spectra gives what the recursion would, to the resolution of a double.

    Args:
        samples: shape ``(n, channels)``.
        rate: sampling rate, Hz.
    """
    memory = math.ceil(_MEMORY_S * rate)
    size = max(_TRANSFORM, 1 << (2 * memory).bit_length())
    response = _response(rate, size)
    sound = np.ascontiguousarray(samples.T, np.float64)
    weighted = np.empty_like(sound)
    for start in range(0, len(samples), size - memory):
        before = min(start, memory)
        part = sound[:, start - before : start + size - memory]
        whole = np.fft.irfft(np.fft.rfft(part, size) * response, size)
        weighted[:, start : start + size - memory] = whole[:, before : part.shape[1]]
    return weighted.T


@lru_cache(maxsize=16)
def _response(rate: int, size: int) -> NDArray[np.complex128]:
    """What each bin of a transform of ``size`` samples is multiplied by, ``size // 2 + 1``."""
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    powers = np.stack([np.ones_like(delay), delay, delay**2])
    shelf, high_pass = _shelf(1500.0, 4.0, math.sqrt(0.5), rate), _high_pass(38.0, 0.5, rate)
    (b, a), (d, c) = shelf, high_pass
    response: NDArray[np.complex128] = (b @ powers) * (d @ powers) / ((a @ powers) * (c @ powers))
    return response


_Biquad = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Coefficients of the numerator and of the denominator."""


def _shelf(hertz: float, gain_db: float, quality: float, rate: int) -> _Biquad:
    """A high shelf as in R. Bristow-Johnson's Audio EQ Cookbook."""
    gain, angle = 10 ** (gain_db / 40), 2 * math.pi * hertz / rate
    cosine, slope = math.cos(angle), math.sqrt(gain) * math.sin(angle) / quality
    up, down = gain + 1, gain - 1
    above = [up + down * cosine + slope, -2 * (down + up * cosine), up + down * cosine - slope]
    below = [up - down * cosine + slope, 2 * (down - up * cosine), up - down * cosine - slope]
    return gain * np.array(above), np.array(below)


def _high_pass(hertz: float, quality: float, rate: int) -> _Biquad:
    """A high-pass of second order from the same cookbook."""
    angle = 2 * math.pi * hertz / rate
    cosine, alpha = math.cos(angle), math.sin(angle) / (2 * quality)
    passed = (1 + cosine) / 2 * np.array([1.0, -2.0, 1.0])
    return passed, np.array([1 + alpha, -2 * cosine, 1 - alpha])
