"""Whether one person alone speaks in recordings of a voice: a clone of two is nobody's voice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.speakers.ge2e import Ge2e
from stages.vad import speech_in
from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Samples
from stream.intervals import merge
from stream.speech.diarize import Diarizer, SpeakerOptions

LOOK_S = 1.6
"""Speech of which one embedding is made, seconds."""

STRANGE = 0.65
"""Cosine below which two stretches seem to be different people's. Of thirteen recordings of people
this told the one of several near microphones, and took two of one person for more: somebody who
changes languages, and somebody over music."""

LEAST_S = 2 * LOOK_S
"""Another voice is told from this much speech of it on."""


async def others_s(clips: Sequence[Samples], encoder: Ge2e) -> list[float]:
    """Seconds of each recording in which somebody else speaks than in most of all.

    Args:
        clips: mono at ``SPEECH_RATE``.
        encoder: tells voices apart.
    """
    diarizer = Diarizer(SpeakerOptions(threshold=STRANGE))
    labels: list[list[str]] = []
    for clip in clips:
        own: list[str] = []
        for stretch in merge(await speech_in(clip), round(0.3 * SPEECH_RATE) * TICKS_PER_SAMPLE):
            piece = clip[stretch.start // TICKS_PER_SAMPLE : stretch.end // TICKS_PER_SAMPLE]
            for start in range(0, len(piece), round(LOOK_S * SPEECH_RATE)):
                look = piece[start : start + round(LOOK_S * SPEECH_RATE)]
                if len(look) >= 0.8 * LOOK_S * SPEECH_RATE:
                    own.append(diarizer.assign(encoder.embedding(look), LOOK_S))
        labels.append(own)
    every = [label for own in labels for label in own]
    if not every:
        return [0.0] * len(clips)
    names, counts = np.unique(every, return_counts=True)
    main = names[int(counts.argmax())]
    found = [LOOK_S * sum(label != main for label in own) for own in labels]
    return [one if one >= LEAST_S else 0.0 for one in found]
