"""Loudness and true peak by ITU-R BS.1770-4, and the gain that matches two loudnesses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from stream.frames import Samples
from stream.sound.k_weighting import k_weighted

ABSOLUTE_GATE = -70.0
"""Blocks quieter than this count as silence, LUFS (BS.1770-4, section 5.1)."""

BLOCK_SECONDS = 0.4
"""Length of a gating block; blocks overlap by three quarters."""

_OVERLAP = 4
_RELATIVE_GATE = -10.0
_CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 1.41, 1.41)
_OVERSAMPLING = 4
_TAPS = 12


def integrated_loudness(samples: Samples, rate: int) -> float:
    """Gated loudness of one piece of sound, LUFS.

    Args:
        samples: shape ``(n,)`` or ``(n, channels)`` with at most five channels in the
            order left, right, centre, left surround, right surround.
        rate: sampling rate, Hz.

    Returns:
        LUFS, or ``-inf`` where nothing passes the absolute gate of -70 LUFS. Sound shorter
        than one block of 400 ms is repeated up to a block, so that a single word has the
        loudness it would have if it went on.
    """
    return pooled_loudness([samples], rate)


def pooled_loudness(pieces: Iterable[Samples], rate: int) -> float:
    """Gated loudness of several pieces taken together, LUFS.

    The gates see the blocks of all pieces at once, and no block spans two pieces. Used for
    the loudness of speech alone: one piece per stretch of speech.

    Args:
        pieces: each as in `integrated_loudness`; they are visited one by one.
        rate: sampling rate, Hz.
    """
    blocks = [_blocks(_at_least_one_block(piece, rate), rate) for piece in pieces if len(piece)]
    return _gated(np.concatenate([np.zeros(0), *blocks]))


def true_peak(samples: Samples) -> float:
    """Largest inter-sample peak of all channels, dBTP; ``-inf`` for digital silence.

    Four-fold oversampling as in BS.1770-4, Annex 2, which under-reads by 0.7 dB at most.

    Args:
        samples: shape ``(n,)`` or ``(n, channels)``.
    """
    sound = samples.reshape(len(samples), -1)
    edge = np.zeros((_TAPS, sound.shape[1]), np.float32)
    peak = 0.0
    for start in range(0, len(sound), 1 << 16):  # bounded memory for long sound
        before = edge if start == 0 else sound[start - _TAPS : start]
        part = np.concatenate([before, sound[start : start + (1 << 16)], edge])
        peak = max(peak, float(intersample_peaks(part).max()))
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def match_gain(
    dub_lufs: float, source_lufs: float, *, lowest_db: float = -12.0, highest_db: float = 12.0
) -> float:
    """Gain that brings the dub's speech to the loudness of the source's, dB.

    Args:
        dub_lufs: loudness of the dub's speech.
        source_lufs: loudness of the source's speech.
        lowest_db: the gain never goes below this.
        highest_db: nor above this, so that a whisper or a mistaken measurement cannot
            blow the dub up.

    Returns:
        The clamped gain; 0 where either side has no loudness.
    """
    if not (math.isfinite(dub_lufs) and math.isfinite(source_lufs)):
        return 0.0
    return min(max(source_lufs - dub_lufs, lowest_db), highest_db)


def intersample_peaks(sound: Samples) -> NDArray[np.float32]:
    """Magnitude of the band-limited signal at and after each sample, largest over channels.

    Args:
        sound: shape ``(n, channels)``.

    Returns:
        Shape ``(n - 11,)``: entry ``i`` is the largest of sample ``i + 5`` and the three
        points between it and the next sample.
    """
    n, channels = len(sound) - _TAPS + 1, sound.shape[1]
    flat = np.ascontiguousarray(sound).reshape(-1)
    windows = np.lib.stride_tricks.sliding_window_view(flat, n * channels)[::channels]
    between = np.abs(_interpolators() @ windows)  # one matrix product: the cheapest by far
    here = np.abs(flat[(_TAPS // 2 - 1) * channels :][: n * channels])
    peaks = reduce(np.maximum, between, here)
    return reduce(np.maximum, (peaks[channel::channels] for channel in range(channels)))


@lru_cache
def overshoot_bound() -> float:
    """How far an inter-sample peak can exceed the largest sample around it, as a factor."""
    return float(max(1.0, np.abs(_interpolators()).sum(axis=1).max()))


@lru_cache
def _interpolators() -> NDArray[np.float32]:
    """Fractional-delay filters for 1/4, 1/2 and 3/4 of a sample, shape ``(3, 12)``.

    The polyphase parts of a 49-tap low-pass (the order that Annex 2 names), each with unit
    gain at 0 Hz; the fourth part is the sample itself.
    """
    length = _OVERSAMPLING * _TAPS + 1
    times = np.arange(length) - length // 2
    prototype = np.sinc(times / _OVERSAMPLING) * np.hanning(length)
    phases = [prototype[phase::_OVERSAMPLING][:_TAPS] for phase in range(1, _OVERSAMPLING)]
    rows = [phase[::-1] / phase.sum() for phase in phases]
    return np.stack(rows).astype(np.float32)


def _at_least_one_block(samples: Samples, rate: int) -> Samples:
    block = math.ceil(BLOCK_SECONDS * rate)
    if len(samples) >= block:
        return samples
    repeats = (math.ceil(block / len(samples)),) + (1,) * (samples.ndim - 1)
    return np.tile(samples, repeats)[:block]


def _blocks(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Loudness of each gating block (BS.1770-4, equation 4), LUFS."""
    weighted = k_weighted(samples.reshape(len(samples), -1), rate)
    power = weighted**2 @ np.array(_CHANNEL_WEIGHTS[: weighted.shape[1]])
    step = BLOCK_SECONDS / _OVERLAP * rate
    # The sound may end up to half a step before or after the last one does.
    *edges, end = np.round(np.arange(round(len(power) / step) + 1) * step).astype(int)
    energy = np.convolve(np.add.reduceat(power[:end], edges), np.ones(_OVERLAP), "valid")
    with np.errstate(divide="ignore"):
        loudness: NDArray[np.float64] = -0.691 + 10 * np.log10(energy / (BLOCK_SECONDS * rate))
    return loudness


def _gated(blocks: NDArray[np.float64]) -> float:
    """Mean of the blocks above both gates (BS.1770-4, equations 5 to 7), LUFS."""
    loud = blocks[blocks >= ABSOLUTE_GATE]
    if not len(loud):
        return -math.inf
    kept = loud[loud > _mean(loud) + _RELATIVE_GATE]
    return _mean(kept)


def _mean(blocks: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (blocks / 10))))
