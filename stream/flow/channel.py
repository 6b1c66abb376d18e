"""A bounded queue between two tasks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from stream.flow.signal import Signal

T = TypeVar("T")


class Closed(Exception):
    """The channel was closed: nothing can be sent, and nothing is left to receive."""


@dataclass(slots=True)
class ChannelStats:
    """Counters since the channel was made."""

    sent: int = 0
    received: int = 0
    peak: int = 0


class Channel(Generic[T]):
    """An asyncio queue that closes, drains, and never grows past its capacity.

    Iterating receives until the channel is closed and empty. Closing is idempotent and
    wakes everyone who waits.

    Args:
        capacity: items held at most; at least 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a channel holds at least one item")
        self.capacity = capacity
        self.stats = ChannelStats()
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = Signal()

    def __len__(self) -> int:
        return len(self._items)

    async def send(self, item: T) -> None:
        """Put an item in, waiting for room.

        Raises:
            Closed: if the channel is closed, also while waiting for room.
        """
        await self._changed.wait_for(lambda: self._closed or len(self._items) < self.capacity)
        if self._closed:
            raise Closed
        self._items.append(item)
        self.stats.sent += 1
        self.stats.peak = max(self.stats.peak, len(self._items))
        self._changed.notify()

    async def receive(self) -> T:
        """Take the oldest item.

        Raises:
            Closed: once the channel is closed and drained.
        """
        await self._changed.wait_for(lambda: self._closed or bool(self._items))
        if not self._items:
            raise Closed
        item = self._items.popleft()
        self.stats.received += 1
        self._changed.notify()
        return item

    def close(self) -> None:
        """End the channel: what is inside can still be received."""
        self._closed = True
        self._changed.notify()

    def __aiter__(self) -> Channel[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except Closed:
            raise StopAsyncIteration from None
