"""What a source gives again when it is opened anew, as HLS does, which begins before its end."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from stream.timeline import TICK_RATE

LONGEST_REPEAT = 120 * TICK_RATE
"""Ticks of HLS that may lie before its end where it is opened."""


class Repeats:
    """Remembers the timestamps of each stream, in ticks."""

    def __init__(self) -> None:
        self._newest: dict[Hashable, int] = {}
        self._known: dict[Hashable, int] = {}  # what was newest when it was opened anew

    def opened_anew(self, streams: Iterable[Hashable]) -> None:
        """These streams follow, from before where they were left, or others were."""
        front = max(self._newest.values(), default=None)
        if front is not None:
            self._known = {stream: self._newest.get(stream, front) for stream in streams}

    def repeats(self, stream: Hashable, timestamp: int) -> bool:
        """Whether the next packet of a stream was there already."""
        limit = self._known.get(stream)
        if limit is not None and limit - LONGEST_REPEAT < timestamp <= limit:
            return True
        self._known.pop(stream, None)
        self._newest[stream] = timestamp
        return False
