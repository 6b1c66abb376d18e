"""Does the tasks of a batch in this process, side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from server.batch.batch import Batch
from server.batch.tasks import Done, Task, Tell
from server.batch.work import perform
from server.engines.pool import EnginePool


class Here:
    """A crew.

    Args:
        spare: workers that it pretends to have nothing to do.
    """

    def __init__(self, spare: int = 0) -> None:
        self.pool = EnginePool()
        self.spare = spare
        self.asked: list[str] = []
        """Kinds of tasks."""

    async def do(self, task: Callable[[], Awaitable[Task]], rank: int, tell: Tell) -> Done:
        asked = await task()
        self.asked.append(asked.kind)
        return await perform(asked, self.pool, tell)

    async def run(self, batch: Batch) -> None:
        await batch.run()
        await self.pool.aclose()
