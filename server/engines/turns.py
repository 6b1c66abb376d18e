"""Turns at a resource that one call can use at a time: fair between owners, then by urgency."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator


class Turns:
    """A round-robin lock: each waiting owner gets one turn a round, the earliest due first.

    Within an owner the order of asking holds. An owner with a hundred calls waiting delays another
    by one call a round. Earliest deadline first without rounds (Liu, Layland, JACM 1973) is best
    where all can be done in time; where they cannot, one owner would make all the others late.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[float, asyncio.Future[None]]]] = {}
        self._served: set[str] = set()
        self._taken = False

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return sum(map(len, self._waiting.values()))

    @contextlib.asynccontextmanager
    async def turn(self, owner: str, due: float = math.inf) -> AsyncIterator[None]:
        """Hold the turn for the body of the ``async with``.

        Args:
            owner: who asks.
            due: event-loop time by which the work should be done.
        """
        if self._taken:
            await self._wait(owner, due)
        else:
            self._served = {owner}
        self._taken = True
        try:
            yield
        finally:
            self._taken = False
            self._next()

    async def _wait(self, owner: str, due: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        call = due, future
        self._waiting.setdefault(owner, deque()).append(call)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._taken = False
                self._next()  # the turn had come: it passes on
            else:
                self._forget(owner, call)
            raise

    def _next(self) -> None:
        while self._waiting:
            if self._waiting.keys() <= self._served:
                self._served.clear()
            left = [owner for owner in self._waiting if owner not in self._served]
            owner = min(left, key=lambda owner: self._waiting[owner][0][0])
            line = self._waiting.pop(owner)
            _, future = line.popleft()
            if line:
                self._waiting[owner] = line  # of those equally due, behind everybody else
            if not future.done():
                self._served.add(owner)
                self._taken = True
                future.set_result(None)
                return

    def _forget(self, owner: str, call: tuple[float, asyncio.Future[None]]) -> None:
        line = self._waiting.get(owner)
        if line is not None:
            with contextlib.suppress(ValueError):
                line.remove(call)
            if not line:
                del self._waiting[owner]
