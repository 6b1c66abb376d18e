"""Lists of intervals on the media timeline: union, intersection, difference and length."""

from __future__ import annotations

from collections.abc import Sequence

from stream.timeline import Interval


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


def pauses(speech: Sequence[Interval]) -> list[Interval]:
    """The silences between stretches of speech."""
    joined = merge(speech)
    return [Interval(a.end, b.start) for a, b in zip(joined, joined[1:], strict=False)]
