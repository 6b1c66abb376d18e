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

from stream.intervals import duration, intersection, pauses
from stream.timeline import TICK_RATE, Interval, ticks

PAUSE = ticks(0.5)
"""Silence that ends an utterance, ticks; shorter pauses belong to it."""

REACH = ticks(2.0)
"""An onset further than this from every dub onset was not dubbed, ticks."""


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


def pause_preservation(source: Sequence[Interval], dub: Sequence[Interval]) -> float:
    """Share of the source's pauses in which the dub is silent too, by time, 0 to 1.

    A pause is the time between two utterances of the source. 1 if there is none.
    """
    silences = pauses(source)
    total = duration(silences)
    return 1 - duration(intersection(silences, dub)) / total if total else 1.0
