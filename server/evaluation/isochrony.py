"""How well the timing of a dub follows the timing of the speech it replaces.

Isochrony is the demand that dubbed speech sounds when, and only when, the original speaker
is seen to speak. Pure functions over lists of intervals: the source's speech and the dub's.

References:
    W. Brannon, Y. Virkar, B. Thompson: Dubbing in Practice. TACL 11 (2023), 419-435,
    https://doi.org/10.1162/tacl_a_00551. Human dubbers break isochrony often and put
    natural speech first, so these figures are to be read beside the speaking rate.

    Y. Virkar, M. Federico, R. Enyedi, R. Barra-Chicote: Improvements to Prosodic Alignment
    for Automatic Dubbing. ICASSP 2021, https://doi.org/10.1109/ICASSP39728.2021.9414966.
    Phrases and pauses of the dub are put where the source has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.timeline import TICK_RATE, Interval, ticks

PAUSE = ticks(0.5)
"""Silence that ends an utterance, ticks; shorter pauses belong to it."""

REACH = ticks(2.0)
"""An onset further than this from every dub onset was not dubbed, ticks."""


def merge(speech: Sequence[Interval], pause: int = 0) -> list[Interval]:
    """Sorted, disjoint intervals: those closer than ``pause`` ticks (or touching) are joined."""
    merged: list[Interval] = []
    for interval in sorted(i for i in speech if i.duration):
        if merged and interval.start - merged[-1].end < max(pause, 1):
            last = merged.pop()
            interval = Interval(last.start, max(last.end, interval.end))
        merged.append(interval)
    return merged


def intersection(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval]:
    """Where both speak, sorted and disjoint."""
    one, other = merge(first), merge(second)
    both: list[Interval] = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i].start, other[j].start), min(one[i].end, other[j].end)
        if start < end:
            both.append(Interval(start, end))
        if one[i].end < other[j].end:
            i += 1
        else:
            j += 1
    return both


def difference(speech: Sequence[Interval], removed: Sequence[Interval]) -> list[Interval]:
    """Where ``speech`` is and ``removed`` is not, sorted and disjoint."""
    kept = merge(speech)
    if not kept:
        return []
    edges = [kept[0].start]
    for cut in intersection(removed, [Interval(kept[0].start, kept[-1].end)]):
        edges += [cut.start, cut.end]
    edges.append(kept[-1].end)
    between = zip(edges[::2], edges[1::2], strict=True)
    return intersection(kept, [Interval(start, end) for start, end in between])


def duration(speech: Sequence[Interval]) -> int:
    """Ticks that the intervals cover, overlaps counted once."""
    return sum(interval.duration for interval in merge(speech))


def overlap(source: Sequence[Interval], dub: Sequence[Interval]) -> float:
    """Time when both speak over time when either speaks, 0 to 1 (intersection over union).

    1 for equal timing, 0 where they never speak together; symmetric. Two silences are
    equal, so they have 1.
    """
    both = duration(intersection(source, dub))
    either = duration(source) + duration(dub) - both
    return both / either if either else 1.0


def match_onsets(
    source: Sequence[Interval], dub: Sequence[Interval], reach: int = REACH
) -> list[int | None]:
    """Which dub utterance begins for each source utterance.

    The one-to-one assignment in order of time that has the least sum of distances, where
    leaving a source utterance alone costs ``reach``; found by dynamic programming. Unlike
    the nearest onset, no dub onset answers for two utterances.

    Args:
        source: utterances, sorted.
        dub: utterances, sorted.
        reach: largest distance of two matched onsets, ticks.

    Returns:
        For each source utterance the index into ``dub``, or ``None``.
    """
    onsets = np.array([interval.start for interval in dub], np.int64)
    distances = [np.abs(onsets - interval.start) for interval in source]
    cost = np.zeros((len(source) + 1, len(dub) + 1), np.int64)
    for i, distance in enumerate(distances):
        # cost[i, j]: of the first i source utterances with the first j dub onsets at hand
        paired = np.where(distance <= reach, cost[i, :-1] + distance, cost[i, 1:] + reach)
        cost[i + 1, 1:] = np.minimum(paired, cost[i, 1:] + reach)
        cost[i + 1, 0] = cost[i, 0] + reach
        cost[i + 1] = np.minimum.accumulate(cost[i + 1])
    matches: list[int | None] = [None] * len(source)
    i, j = len(source), len(dub)
    while i and j:
        if cost[i, j] == cost[i, j - 1]:
            j -= 1
        elif cost[i, j] == cost[i - 1, j] + reach:
            i -= 1
        else:
            i, j = i - 1, j - 1
            matches[i] = j
    return matches


def onset_errors(
    source: Sequence[Interval], dub: Sequence[Interval], reach: int = REACH
) -> list[float | None]:
    """Dub onset minus source onset for each source utterance, ms: positive is late.

    ``None`` where no dub utterance begins within ``reach`` ticks; see `match_onsets`.
    """
    return [
        None if j is None else (dub[j].start - utterance.start) * 1000 / TICK_RATE
        for utterance, j in zip(source, match_onsets(source, dub, reach), strict=True)
    ]


def offset_errors(
    source: Sequence[Interval], dub: Sequence[Interval], reach: int = REACH
) -> list[float | None]:
    """Dub end minus source end for each source utterance, ms: positive is late.

    As `onset_errors`, with time turned round.
    """
    turned = [[Interval(-i.end, -i.start) for i in reversed(speech)] for speech in (source, dub)]
    errors = onset_errors(turned[0], turned[1], reach)
    return [None if error is None else -error for error in reversed(errors)]


def pauses(speech: Sequence[Interval]) -> list[Interval]:
    """The silences between stretches of speech."""
    joined = merge(speech)
    return [Interval(a.end, b.start) for a, b in zip(joined, joined[1:], strict=False)]


def pause_preservation(source: Sequence[Interval], dub: Sequence[Interval]) -> float:
    """Share of the source's pauses in which the dub is silent too, by time, 0 to 1.

    A pause is the time between two utterances of the source. 1 if there is none.
    """
    silences = pauses(source)
    total = duration(silences)
    return 1 - duration(intersection(silences, dub)) / total if total else 1.0
