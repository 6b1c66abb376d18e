"""Doing what a worker is asked to do, with engines that stay loaded from one task to the next."""

from __future__ import annotations

import asyncio
import contextlib

from server.batch.tasks import Done, DubFile, Progress, Task, Tell
from server.engines.pool import EnginePool
from server.sessions.dub_file import dub_file
from server.sessions.file import FileSession
from stream.timeline import seconds

EVERY_S = 0.5
"""Between two words about progress."""


async def perform(task: Task, pool: EnginePool, tell: Tell) -> Done:
    """Do a task.

    Args:
        task: what.
        pool: of the worker.
        tell: is told of progress, now and then.

    Raises:
        UserError: if what it is about cannot be used.
    """
    return await _dub(task, pool, tell)


async def _dub(task: DubFile, pool: EnginePool, tell: Tell) -> Done:
    job = task.job
    await asyncio.to_thread(job.output.parent.mkdir, parents=True, exist_ok=True)
    dubbed = await dub_file(job, task.config, pool, _Teller(tell))
    report = dubbed.outcome.report
    return Done(report.summary.model_dump(mode="json"), report.notes)


class _Teller:
    """Passes on how a session goes, but no words: what matters of those is in the report."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def say(self, sentence: str) -> None: ...

    def loading(self) -> contextlib.AbstractContextManager[object]:
        return contextlib.nullcontext()

    async def watch(self, session: FileSession, duration: int | None) -> None:
        whole = seconds(duration) if duration else None
        while True:
            self._tell(Progress(seconds(session.position), whole))
            await asyncio.sleep(EVERY_S)
