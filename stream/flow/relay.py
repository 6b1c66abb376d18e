"""Turns what a broadcast publishes into something else, once for all who want it.

Encoding audio or video is too expensive to do for every viewer, and wasted when nobody
looks, so a relay begins with its first reader and ends with its last.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Hashable
from functools import partial
from typing import Generic, Protocol, TypeVar

from stream.flow.broadcast import Broadcast, Subscription
from stream.flow.worker import Worker

S = TypeVar("S")
T = TypeVar("T")
S_contra = TypeVar("S_contra", contravariant=True)

_log = logging.getLogger(__name__)


class Converter(Protocol[S_contra, T]):
    """What a relay does to each item, in a thread of its own."""

    def convert(self, item: S_contra, lost: bool) -> list[T]:
        """Turn one item into any number of others.

        Args:
            item: the next item.
            lost: whether items before it were lost because this thread was too slow.
        """


class Relays(Generic[S, T]):
    """The relays of one kind that are running: one per source at most.

    Args:
        name: of their threads.
        capacity: items of the source that may wait to be converted.
    """

    def __init__(self, name: str, capacity: int) -> None:
        self._name = name
        self._capacity = capacity
        self._running: dict[Hashable, _Relay[S, T]] = {}

    @contextlib.asynccontextmanager
    async def read(
        self, source: Broadcast[S], make: Callable[[], Converter[S, T]], capacity: int
    ) -> AsyncIterator[Subscription[T]]:
        """Everything converted from now on.

        Args:
            source: what is converted.
            make: makes the converter, if none is running for ``source``.
            capacity: items that this reader may be behind.
        """
        relay = self._running.get(source)
        if relay is None:
            relay = _Relay(source.subscribe(self._capacity), make(), Worker(self._name))
            self._running[source] = relay
        relay.users += 1
        reader = relay.out.subscribe(capacity)
        try:
            yield reader
        finally:
            reader.close()
            relay.users -= 1
            if not relay.users:
                # Out of sight first: a reader who comes while it ends gets a new one.
                del self._running[source]
                await relay.aclose()


class _Relay(Generic[S, T]):
    def __init__(
        self, incoming: Subscription[S], converter: Converter[S, T], worker: Worker
    ) -> None:
        self.users = 0
        self.out = Broadcast[T]()
        self._incoming = incoming
        self._converter = converter
        self._worker = worker
        self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._incoming.close()  # a task that was cancelled before its first step has not

    async def _run(self) -> None:
        missed = 0
        try:
            async for item in self._incoming:
                lost = self._incoming.missed != missed
                missed = self._incoming.missed
                convert = partial(self._converter.convert, item, lost)
                for converted in await self._worker.run(convert):
                    self.out.publish(converted)
        except Exception:
            # Its readers see an end; what else the feed delivers goes on.
            _log.exception("encoding a track or a picture for its viewers has failed")
        finally:
            self._incoming.close()
            self.out.close()
            await self._worker.aclose()
