"""Long speech cut into clips for training: at its pauses, of evenly distributed lengths.

A model trained on clips of one length speaks badly at others, so as many short clips as long
ones are wanted between the shortest and the longest that it takes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.frames import SPEECH_RATE, Samples
from stream.timeline import TICK_RATE, Interval, seconds, ticks

SHORTEST, LONGEST = ticks(1.0), ticks(12.0)
"""Ticks; XTTSv2 trains on 11.6 s at most, and what is longer is left out there."""

_BINS = 6
_MARGIN = ticks(0.1)
"""Silence kept before and after a clip, where there is as much."""


def group(speech: Sequence[Interval], longest_pause: int = ticks(0.6)) -> list[Interval]:
    """Clips made of neighbouring stretches of speech.

    Each clip begins and ends in a pause and holds none longer than ``longest_pause``. Where a
    clip may end at several pauses, the one is taken whose length the clips so far lack most.

    Args:
        speech: sorted, disjoint, ticks; those longer than ``LONGEST`` are left out.
        longest_pause: ticks.
    """
    counts = np.zeros(_BINS, np.int64)
    clips: list[Interval] = []
    first = 0
    while first < len(speech):
        ends = []
        for last in range(first, len(speech)):
            if last > first and speech[last].start - speech[last - 1].end > longest_pause:
                break
            length = speech[last].end - speech[first].start
            if length > LONGEST:
                break
            if length >= SHORTEST:
                ends.append((last, length))
        if not ends:
            first += 1
            continue
        # Of the lengths still lacking, the longest: it leaves the fewest words behind.
        last, length = min(ends, key=lambda end: (counts[_bin(end[1])], -end[1]))
        counts[_bin(length)] += 1
        clips.append(Interval(speech[first].start, speech[last].end))
        first = last + 1
    return clips


def with_margins(clips: Sequence[Interval], speech: Sequence[Interval], end: int) -> list[Interval]:
    """Clips widened by up to 0.1 s of the silence around them, never to their neighbour's speech.

    Args:
        clips: as ``group`` makes them of ``speech``.
        speech: everyone's, sorted.
        end: of the recording, ticks.
    """
    starts, ends = [i.start for i in speech], [i.end for i in speech]
    widened = []
    for clip in clips:
        before = max((e for e in ends if e <= clip.start), default=0)
        after = min((s for s in starts if s >= clip.end), default=end)
        widened.append(
            Interval(
                max(clip.start - _MARGIN, (before + clip.start) // 2, 0),
                min(clip.end + _MARGIN, (clip.end + after) // 2, end),
            )
        )
    return widened


def cut(audio: Samples, clip: Interval, rate: int = SPEECH_RATE) -> Samples:
    """The samples of a clip; ``audio`` is mono at ``rate`` from media time 0."""
    first, last = clip.start * rate // TICK_RATE, clip.end * rate // TICK_RATE
    return audio[first:last]


def _bin(length: int) -> int:
    share = (seconds(length) - seconds(SHORTEST)) / (seconds(LONGEST) - seconds(SHORTEST))
    return min(int(share * _BINS), _BINS - 1)
