"""Where the parts of a segment end while it is still growing (RFC 8216bis, 4.4.4.9)."""

from __future__ import annotations

from collections.abc import Sequence

from server.hls.playlist import PART_S
from stream.timeline import ticks

PART = ticks(PART_S)
"""No part is longer."""

LEAST = round(0.85 * PART)
"""None is shorter that is not the last of its segment, unless it can be decoded by itself."""


def part_ends(
    start: int, places: Sequence[int], *, end: int | None = None, least: int = LEAST
) -> list[int] | None:
    """Where the next parts end: each is as long as may be.

    Args:
        start: of the next part, ticks.
        places: where a part may end, rising: the starts of the samples that follow.
        end: of the segment, ticks; ``None`` while it grows.
        least: length of a part that is not the last, ticks.

    Returns:
        Ends that are certain, or ``None`` if samples are so long that no parts can be made.
    """
    ends: list[int] = []
    while True:
        if end is not None and end <= start + PART:
            return [*ends, end] if end > start else ends
        within = [place for place in places if start < place <= start + PART]
        beyond = bool(places) and places[-1] >= start + PART
        if not beyond and end is None:
            return ends
        if not within or within[-1] - start < least:
            return None
        start = within[-1]
        ends.append(start)
