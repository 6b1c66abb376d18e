"""Doing what a worker is asked to do, with engines that stay loaded from one task to the next."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil

from server.batch.film import EVERY_S, JOURNALS, cut_film, dub_piece
from server.batch.tasks import (
    TASKS,
    CutFilm,
    Done,
    Dubbed,
    DubFile,
    DubPiece,
    Failed,
    Progress,
    Task,
    Tell,
)
from server.engines.pool import EnginePool
from server.sessions.dub_file import dub_file
from server.sessions.file import FileSession
from stream.errors import LivedubError, cause, root
from stream.timeline import seconds

log = logging.getLogger(__name__)


async def answer(task: bytes, pool: EnginePool, tell: Tell) -> Done | Failed:
    """Do a task that was written as JSON; whatever goes wrong with it is an answer too."""
    try:
        return await perform(TASKS.validate_json(task), pool, tell)
    except Exception as error:
        if not isinstance(root(error), LivedubError):
            log.warning("a task failed", exc_info=error)
        return Failed(cause(error))


async def perform(task: Task, pool: EnginePool, tell: Tell) -> Done:
    """Do a task.

    Args:
        task: what.
        pool: of the worker.
        tell: is told of progress, now and then.

    Raises:
        UserError: if what it is about cannot be used.
    """
    if isinstance(task, CutFilm):
        return await cut_film(task, tell)
    if isinstance(task, DubPiece):
        return await dub_piece(task, pool, tell)
    return await _dub(task, pool, tell)


async def _dub(task: DubFile, pool: EnginePool, tell: Tell) -> Dubbed:
    job, pieces = task.job, task.pieces
    await asyncio.to_thread(job.output.parent.mkdir, parents=True, exist_ok=True)
    journals = sorted(pieces.glob(JOURNALS)) if pieces is not None else []
    dubbed = await dub_file(job, task.config, pool, _Teller(tell), known=journals)
    report = dubbed.outcome.report
    notes = list(report.notes)
    if pieces is not None:
        await asyncio.to_thread(shutil.rmtree, pieces, ignore_errors=True)
        notes.append(
            f"of {dubbed.asked} answers of the models {dubbed.found} were known from "
            f"{len(journals)} pieces"
        )
    return Dubbed(report.summary.model_dump(mode="json"), notes)


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
