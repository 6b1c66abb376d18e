"""One person's speech in a recording with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.speakers.ge2e import Ge2e
from stages.training.clips import cut
from stream.frames import SPEECH_RATE, Embedding, Samples
from stream.timeline import Interval

_STEP_FRAMES = 20
"""Spectra of 10 ms from one embedding to the next."""
_WINDOW_S = 1.6


@dataclass(frozen=True, slots=True)
class Judged:
    """A stretch of speech and whose it is.

    Attributes:
        interval: ticks.
        similarity: cosine of the whole stretch and the person's voice.
        lowest: the same of its least similar 1.6 s: low where somebody else speaks too, at once or
            in turn.
    """

    interval: Interval
    similarity: float
    lowest: float

    def is_target(self, threshold: float) -> bool:
        """Whether the person speaks, and nobody else: parts are less certain than the whole."""
        return self.similarity >= threshold and self.lowest >= threshold - 0.1


def judge(
    audio: Samples, speech: Sequence[Interval], voice: Embedding, encoder: Ge2e
) -> list[Judged]:
    """Compare every stretch of speech with a voice.

    Args:
        audio: mono at ``SPEECH_RATE`` from media time 0.
        speech: ticks.
        voice: of the person sought.
        encoder: the one that made ``voice``.
    """
    judged = []
    for interval in speech:
        piece = cut(audio, interval)
        long = len(piece) > _WINDOW_S * SPEECH_RATE
        looks = encoder.looks(piece, _STEP_FRAMES) if long else encoder.looks(piece)
        mean = looks.mean(axis=0)
        whole = float(mean @ voice / max(float(np.linalg.norm(mean)), 1e-9))
        judged.append(Judged(interval, whole, float((looks @ voice).min())))
    return judged
