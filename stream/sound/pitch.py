"""The register of a voice: how high it speaks.

Autocorrelation by frames, after Boersma: Accurate Short-Term Analysis of the Fundamental Frequency
and the Harmonics-to-Noise Ratio of a Sampled Sound, IFA Proceedings 17, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.frames import SPEECH_RATE, Samples

LOWEST_HZ, HIGHEST_HZ = 60.0, 450.0
"""Between which people speak."""

LONGEST_S = 8.0
"""Seconds of an utterance that are looked at: more would tell no more."""

_FRAME, _HOP = 1024, 512  # 64 ms: four periods of the lowest voice; and 32 ms
_BAND_HZ = (50.0, 1000.0)
"""Where the first harmonics of every voice are, and little noise is."""
_VOICED = 0.5
"""Autocorrelation from which on a frame is voiced; Praat's threshold is 0.45."""
_AS_GOOD = 0.88
"""Share of the best autocorrelation with which a shorter period is taken: twice a period repeats as
well as the period itself."""
_RANGE_DB = 25.0
"""dB below the loudest frames down to which frames are looked at."""
_NEAR_ST = 7.0
"""Semitones around the most frequent pitch; what is farther off is mostly an octave error."""


@dataclass(frozen=True, slots=True)
class Register:
    """How high a voice speaks.

    Attributes:
        hz: median of its fundamental frequency.
        voiced_s: seconds of voiced speech that tell it.
    """

    hz: float
    voiced_s: float


def semitones(hz: float, other_hz: float) -> float:
    """By how many semitones the first is higher."""
    return float(12 * np.log2(hz / other_hz))


def register_of(audio: Samples) -> Register | None:
    """The register of one speaker; ``None`` where nobody speaks with a voice.

    Args:
        audio: of one utterance, mono at ``SPEECH_RATE``, shape ``(n,)``.
    """
    pitches = _pitches(audio[: round(LONGEST_S * SPEECH_RATE)])
    if len(pitches) < 3:
        return None
    steps = 12 * np.log2(pitches)
    counts = (np.abs(steps[:, None] - steps[None, :]) <= 2).sum(axis=1)
    usual = np.median(steps[counts == counts.max()])
    own = pitches[np.abs(steps - usual) <= _NEAR_ST]
    return Register(float(np.median(own)), len(own) * _HOP / SPEECH_RATE)


def _pitches(audio: Samples) -> NDArray[np.float64]:
    """The pitch of each voiced frame, Hz, shape ``(voiced,)``."""
    if len(audio) < _FRAME or not np.isfinite(audio).all():
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(audio, _FRAME)[::_HOP]
    power = np.square(frames).mean(axis=1)
    frames = frames[power > max(float(power.max()) * 10 ** (-_RANGE_DB / 10), 1e-12)]
    if not len(frames):
        return np.zeros(0)
    window = np.hanning(_FRAME)
    spectrum = np.abs(np.fft.rfft(frames * window, 2 * _FRAME)) ** 2
    hertz = np.fft.rfftfreq(2 * _FRAME, 1 / SPEECH_RATE)
    spectrum[:, (hertz < _BAND_HZ[0]) | (hertz > _BAND_HZ[1])] = 0
    own = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * _FRAME)) ** 2)
    shortest, longest = int(SPEECH_RATE / HIGHEST_HZ), int(SPEECH_RATE / LOWEST_HZ) + 1
    # Divided by the window's own autocorrelation, else long periods look weak.
    strength = np.fft.irfft(spectrum)[:, : longest + 2] / own[: longest + 2]
    strength /= np.maximum(strength[:, :1], 1e-12)
    inner = strength[:, shortest : longest + 1]
    peaks = (inner >= strength[:, shortest - 1 : longest]) & (
        inner > strength[:, shortest + 1 : longest + 2]
    )
    height = np.where(peaks, inner, 0.0)
    best = height.max(axis=1, keepdims=True)
    first = np.argmax(height >= _AS_GOOD * best, axis=1)
    voiced = best[:, 0] >= _VOICED
    periods: NDArray[np.float64] = (shortest + first[voiced]).astype(np.float64)
    return SPEECH_RATE / periods
