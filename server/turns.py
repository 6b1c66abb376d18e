"""Turns at something that only one can use: fair between owners, however much each asks."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator


class Turns:
    """A lock that goes round the owners who wait, one turn each.

    Within an owner the order of asking holds. An owner with a hundred calls waiting delays
    another by one call at most.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._taken = False

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return sum(map(len, self._waiting.values()))

    @contextlib.asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Hold the turn for the body of the ``async with``."""
        if self._taken:
            await self._wait(owner)
        self._taken = True
        try:
            yield
        finally:
            self._taken = False
            self._next()

    async def _wait(self, owner: str) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._taken = False
                self._next()  # the turn had come: it passes on
            else:
                self._forget(owner, future)
            raise

    def _next(self) -> None:
        while self._waiting:
            owner, line = next(iter(self._waiting.items()))
            future = line.popleft()
            del self._waiting[owner]
            if line:
                self._waiting[owner] = line  # behind everybody else
            if not future.done():
                self._taken = True
                future.set_result(None)
                return

    def _forget(self, owner: str, future: asyncio.Future[None]) -> None:
        line = self._waiting.get(owner)
        if line is not None:
            with contextlib.suppress(ValueError):
                line.remove(future)
            if not line:
                del self._waiting[owner]
