"""A jitter buffer for one RTP stream: packets in order, and word of those that are lost.

It waits for a missing packet by the clock, not until so many others have arrived, so that one
loss costs one packet and the delay never grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

RESTART_GAP = 2000
"""A packet this far behind is not late: the sender has restarted its numbering."""

_HALF, _FULL = 1 << 15, 1 << 16


@dataclass(frozen=True, slots=True)
class Lost:
    """Packets that were given up: ``count`` of them in a row, 0 if their number is unknown."""

    count: int


class Reorder(Generic[T]):
    """Releases packets in the order of their sequence numbers.

    Args:
        wait: seconds that a missing packet may hold up those after it.
        capacity: packets held at most if nobody asks for them; beyond that the oldest are dropped.
    """

    def __init__(self, wait: float, capacity: int) -> None:
        self._wait = wait
        self._capacity = capacity
        self._held: dict[int, tuple[float, T]] = {}  # by unwrapped number: arrival, packet
        self._next: int | None = None
        self._newest = 0
        self._broken = 0  # given up since the last packet that was given out
        self._restarted = False
        self.late = 0
        """Packets that arrived after they had been given up, or twice."""

    def __len__(self) -> int:
        return len(self._held)

    def add(self, number: int, packet: T, now: float) -> None:
        """Take a packet.

        Args:
            number: its sequence number, 16 bits.
            packet: the packet.
            now: when it arrived, seconds on the caller's clock.
        """
        if self._next is None:
            self._next = self._newest = number
        full = self._newest + (number - self._newest + _HALF) % _FULL - _HALF
        if full < self._next - RESTART_GAP:
            self._held.clear()
            self._next = self._newest = full
            self._restarted = True
        if full < self._next or full in self._held:
            self.late += 1
            return
        self._newest = max(self._newest, full)
        self._held[full] = (now, packet)
        if len(self._held) > self._capacity:
            oldest = min(self._held)
            del self._held[oldest]
            self._broken += oldest + 1 - self._next
            self._next = oldest + 1

    def ready(self, now: float) -> Iterator[T | Lost]:
        """What can be released now: packets in order, and the gaps that are given up."""
        while self._held:
            assert self._next is not None
            if self._broken or self._restarted:
                lost = Lost(0 if self._restarted else self._broken)
                self._broken, self._restarted = 0, False
                yield lost
            if self._next in self._held:
                yield self._held.pop(self._next)[1]
                self._next += 1
                continue
            first = min(self._held)
            arrived = self._held[first][0]
            if now - arrived < self._wait:
                return
            self._broken, self._next = first - self._next, first

    def missing(self) -> list[int]:
        """Sequence numbers of packets that may still come, 16 bits each."""
        if self._next is None or not self._held:
            return []
        gaps = (n for n in range(self._next, self._newest) if n not in self._held)
        return [n % _FULL for n in gaps]

    def deadline(self) -> float | None:
        """When the next gap is given up, if there is one."""
        if not self._held or self._next in self._held:
            return None
        return self._held[min(self._held)][0] + self._wait
