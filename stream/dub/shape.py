"""The shape of a dub's sound: its level, its phrases, its quiet lead, and how it breaks off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.dub.mirrored_pauses import (
    Phrase,
)
from stream.dub.mixdown import LONGEST_LEAD
from stream.frames import Samples
from stream.sound.loudness import integrated_loudness, match_gain
from stream.sound.tempo import change_tempo
from stream.timeline import TICK_RATE

FADE = TICK_RATE // 100
"""Ticks over which a truncated dub fades out."""


def levelled(sound: Samples, theirs: float) -> tuple[float, float]:
    """Factor that makes a dub as loud as the source's ``theirs``, and how loud it is then, LUFS."""
    ours = integrated_loudness(sound, TICK_RATE)
    decibels = match_gain(ours, theirs)
    return 10 ** (decibels / 20), ours + decibels


def spoken(sound: Samples, phrases: Sequence[Phrase]) -> Samples:
    """The phrases at their tempos, with silence up to where each begins."""
    if len(phrases) == 1:
        return change_tempo(sound, TICK_RATE, phrases[0].tempo)
    out = np.zeros(phrases[-1].end, np.float32)
    ramp = np.linspace(0, 1, TICK_RATE // 200, dtype=np.float32)
    for phrase in phrases:
        cut = sound[phrase.cut.start : phrase.cut.end].copy()
        fade = min(len(ramp), len(cut))
        if phrase.start > 0:
            cut[:fade] *= ramp[:fade]
        if phrase is not phrases[-1]:
            cut[len(cut) - fade :] *= ramp[:fade][::-1]
        spoken = change_tempo(cut, TICK_RATE, phrase.tempo)
        out[phrase.start : phrase.start + len(spoken)] = spoken
    return out


def lead(speech: Samples) -> int:
    """Ticks before speech is loud enough to be noticed: within 30 dB of its loudest 5 ms."""
    frame = TICK_RATE // 200
    frames = speech[: len(speech) // frame * frame].reshape(-1, frame)
    if not len(frames):
        return 0
    power = np.einsum("nk,nk->n", frames, frames)
    return min(int(np.argmax(power > power.max(initial=0) / 1000)) * frame, LONGEST_LEAD)


def cut_between_words(speech: Samples) -> Samples:
    """Speech that breaks off, shortened to the quietest place of its last 0.3 s, faded out."""
    width = 2 * FADE
    tail = speech[-TICK_RATE * 3 // 10 :]
    if len(tail) > 2 * width:
        energy = np.convolve(tail.astype(np.float64) ** 2, np.ones(width), "valid")
        speech = speech[: len(speech) - len(tail) + int(np.argmin(energy)) + width]
    faded = speech.copy()
    fade = min(FADE, len(faded))
    if fade:
        faded[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return faded
