"""One signal that re-arms itself: tasks wait for a condition on state that plain methods change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Signal:
    """Wakes every waiting task to look at its condition again.

    State that is only ever changed between two awaits needs no lock, so that whoever changes it
    does so in plain methods and calls ``notify``.
    """

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """The state has changed."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once ``condition`` holds; at once if it does already."""
        while not condition():
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
