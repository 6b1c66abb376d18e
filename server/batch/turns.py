"""Turns at a number of places, those of the lowest rank first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncGenerator
from itertools import count


class RankedTurns:
    """So many may be at work at once.

    Args:
        most: places.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._order = count()
        self._turns: list[tuple[int, int, asyncio.Future[None]]] = []

    @property
    def spare(self) -> int:
        """Places that nobody waits for."""
        waiting = sum(not turn.done() for _, _, turn in self._turns)
        return max(0, self._most - self._busy - waiting)

    @contextlib.asynccontextmanager
    async def turn(self, rank: int) -> AsyncGenerator[None, None]:
        """Have a place for the body of the ``async with``.

        Args:
            rank: lower is sooner; among equals, who came first.
        """
        if self._busy >= self._most:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._turns, (rank, next(self._order), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                raise
        else:
            self._busy += 1
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """Whoever is next takes the place of one that is through."""
        while self._turns:
            _, _, turn = heapq.heappop(self._turns)
            if not turn.done():
                turn.set_result(None)
                return
        self._busy -= 1
