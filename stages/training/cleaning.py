"""Recordings made fit for training: noise suppressed, loudness equal, speech never cut off.

A denoiser set too strong swallows soft consonants, and a normaliser that raises too much clips.
So what each step did is measured on the clip itself, and undone where speech was harmed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stages.speakers.reference import RATE, score
from stream.frames import Samples
from stream.sound.denoise import afftdn
from stream.sound.loudness import integrated_loudness, true_peak

LOUDNESS_LUFS = -23.0
"""LUFS of every clip (EBU R 128), or as near as its peaks allow."""

CEILING_DBTP = -1.0
"""dBTP that no clip exceeds."""

_FRAME = RATE // 100
_HARMED_DB = 3.0
"""dB that a frame of speech may lose in denoising; what is more was speech."""
_ALLOWED_SHARE = 0.02
"""Share of speech frames that may lose more."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A clip after cleaning.

    Attributes:
        samples: mono at ``RATE``.
        snr_before: dB, see ``ClipQuality``.
        snr_after: the same of ``samples``.
        denoised: whether denoising was kept.
        speech_lost: share of speech frames that denoising lowered by over 3 dB, whether it was
            kept or not.
        gain: applied to the whole clip, dB.
        peak: dBTP.
    """

    samples: Samples
    snr_before: float
    snr_after: float
    denoised: bool
    speech_lost: float
    gain: float
    peak: float


def clean(clip: Samples, *, denoise: bool = False) -> Cleaned:
    """Denoise if asked to and harmless, then bring to ``LOUDNESS_LUFS`` without a limiter.

    Args:
        clip: mono at ``RATE``, shape ``(n,)``.
        denoise: try to suppress steady noise.
    """
    before = score(clip)
    lost, kept = 0.0, False
    if denoise:
        quieter = afftdn(clip, RATE)
        lost = speech_lost(clip, quieter)
        kept = lost <= _ALLOWED_SHARE and score(quieter).snr > before.snr + 1
        clip = quieter if kept else clip
    gain = normalising_gain(clip)
    samples = (clip * 10 ** (gain / 20)).astype(np.float32)
    after = score(samples)
    return Cleaned(samples, before.snr, after.snr, kept, lost, gain, true_peak(samples))


def normalising_gain(clip: Samples) -> float:
    """Gain, dB, that brings a clip to ``LOUDNESS_LUFS`` with its true peak under the ceiling."""
    loudness, peak = integrated_loudness(clip, RATE), true_peak(clip)
    if not math.isfinite(loudness):
        return 0.0
    return min(LOUDNESS_LUFS - loudness, CEILING_DBTP - peak)


def speech_lost(before: Samples, after: Samples) -> float:
    """Share of the frames of speech whose level fell by more than 3 dB.

    Frames within 25 dB of the loudest are speech: what denoising may take lies below.
    """
    length = min(len(before), len(after)) // _FRAME * _FRAME
    levels = [
        10 * np.log10(np.square(x[:length].reshape(-1, _FRAME)).mean(axis=1) + 1e-10)
        for x in (before, after)
    ]
    if not length:
        return 0.0
    speech = levels[0] > levels[0].max() - 25
    return float(np.mean((levels[0] - levels[1])[speech] > _HARMED_DB))
