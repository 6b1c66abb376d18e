"""One publisher, any number of readers, each behind a bounded queue of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_BYTES = 64 << 20
"""That wait for one reader; what waits for several is held once."""


class Subscription(Generic[T]):
    """One reader's view of a broadcast; iterating ends when the broadcast is closed.

    A reader that falls behind loses the oldest items: ``missed`` counts them, so that it can
    resynchronise. Closing is idempotent and may be done by either side.
    """

    def __init__(self, source: Broadcast[T], capacity: int) -> None:
        self._source = source
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._held = 0
        self._changed = asyncio.Event()
        self._closed = False
        self.missed = 0
        """Items lost so far because the reader was too slow."""

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._take()

    def __len__(self) -> int:
        return len(self._items)

    def close(self) -> None:
        """Leave; what is waiting can still be read."""
        self._closed = True
        self._source._readers.discard(self)
        self._changed.set()

    def _offer(self, item: T) -> None:
        size = self._source.size(item)
        while self._items and (
            len(self._items) >= self._capacity or self._held + size > MOST_BYTES
        ):
            self._take()
            self.missed += 1
        self._items.append(item)
        self._held += size
        self._changed.set()

    def _take(self) -> T:
        item = self._items.popleft()
        self._held -= self._source.size(item)
        return item


class Broadcast(Generic[T]):
    """Hands every item to all who are subscribed at the time; never waits for any of them.

    Args:
        size: bytes of an item, where it is a stranger who decides on them.
    """

    def __init__(self, size: Callable[[T], int] = lambda item: 0) -> None:
        self.size = size
        self._readers: set[Subscription[T]] = set()
        self._closed = False

    def subscribe(self, capacity: int) -> Subscription[T]:
        """A reader of everything published from now on, ``capacity`` items behind at most."""
        if capacity < 1:
            raise ValueError("a subscription holds at least one item")
        subscription = Subscription(self, capacity)
        if self._closed:
            subscription.close()
        else:
            self._readers.add(subscription)
        return subscription

    @property
    def readers(self) -> int:
        """How many are subscribed."""
        return len(self._readers)

    def publish(self, item: T) -> None:
        """Give ``item`` to every reader."""
        for reader in self._readers:
            reader._offer(item)

    def close(self) -> None:
        """End every reader's iteration after what it still holds."""
        self._closed = True
        for reader in list(self._readers):
            reader.close()
