"""A bounded queue between two tasks, with a stated policy for when it is full."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

Policy = Literal["wait", "drop_oldest"]
"""What sending into a full channel does: wait for room, or give up the oldest item."""


class Closed(Exception):
    """The channel was closed: nothing can be sent, and nothing is left to receive."""


@dataclass(slots=True)
class ChannelStats:
    """Counters since the channel was made."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    peak: int = 0


class Channel(Generic[T]):
    """An asyncio queue that closes, drains, and never grows past its capacity.

    Iterating receives until the channel is closed and empty. Closing is idempotent and
    wakes everyone who waits.

    Args:
        capacity: items held at most; at least 1.
        policy: ``wait`` for sources that can be held back, ``drop_oldest`` for live ones.
    """

    def __init__(self, capacity: int, policy: Policy = "wait") -> None:
        if capacity < 1:
            raise ValueError("a channel holds at least one item")
        self.capacity = capacity
        self.policy: Policy = policy
        self.stats = ChannelStats()
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._items)

    async def send(self, item: T) -> None:
        """Put an item in, waiting or dropping as the policy says.

        Raises:
            Closed: if the channel is closed, also while waiting for room.
        """
        async with self._changed:
            if self.policy == "wait":
                await self._changed.wait_for(
                    lambda: self._closed or len(self._items) < self.capacity
                )
            if self._closed:
                raise Closed
            if len(self._items) >= self.capacity:
                self._items.popleft()
                self.stats.dropped += 1
            self._items.append(item)
            self.stats.sent += 1
            self.stats.peak = max(self.stats.peak, len(self._items))
            self._changed.notify_all()

    async def receive(self) -> T:
        """Take the oldest item.

        Raises:
            Closed: once the channel is closed and drained.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or bool(self._items))
            if not self._items:
                raise Closed
            item = self._items.popleft()
            self.stats.received += 1
            self._changed.notify_all()
            return item

    async def close(self) -> None:
        """End the channel: what is inside can still be received."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __aiter__(self) -> Channel[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except Closed:
            raise StopAsyncIteration from None
