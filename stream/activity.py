"""Voice activity as intervals, for measuring."""

from __future__ import annotations

from stream.frames import SPEECH_RATE, Samples
from stream.timeline import TICK_RATE, Interval, ticks

GAP = ticks(0.2)
"""Silence shorter than this is part of the speech around it (a stop consonant, a breath)."""

SHORTEST = ticks(0.1)
"""Activity shorter than this is a click."""


def speech_intervals(
    probabilities: Samples, *, window: int = 512, onset: float = 0.5, offset: float = 0.35
) -> list[Interval]:
    """Stretches of speech, in order.

    Args:
        probabilities: of speech, one per window, shape ``(n,)``.
        window: samples at ``SPEECH_RATE`` per probability.
        onset: probability at which speech begins.
        offset: probability below which it ends.
    """
    width = window * TICK_RATE // SPEECH_RATE
    found: list[Interval] = []
    start: int | None = None
    for index, probability in enumerate([*probabilities.tolist(), 0.0]):
        if start is None and probability >= onset:
            start = index * width
        elif start is not None and probability < offset:
            if found and start - found[-1].end < GAP:
                start = found.pop().start
            found.append(Interval(start, index * width))
            start = None
    return [interval for interval in found if interval.duration >= SHORTEST]
