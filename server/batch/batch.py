"""A batch: each file dubbed by whichever worker is free, and one that fails troubles no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from server.batch.crew import Crew, TaskFailed
from server.batch.parted import Parting, first_task, in_pieces
from server.batch.results import FileResult, Results, fingerprint
from server.batch.tasks import Dubbed, DubFile, Parted, Progress, Task
from server.config import Config
from server.sessions.file_job import FileJob


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of each file.

    Attributes:
        config: checked, and settled for this machine.
        subtitles: in both languages, beside the dub.
        report: beside the dub.
        resume: whether to skip what is finished and go on with what was begun.
        parting: which films are dubbed in pieces.
    """

    config: Config
    subtitles: bool = False
    report: bool = False
    resume: bool = False
    parting: Parting = Parting()


@dataclass(slots=True)
class Item:
    """A file of the batch.

    Attributes:
        path: absolute.
        result: what is known of it.
        skipped: whether it was finished before.
        progress: while it is being dubbed.
    """

    path: Path
    result: FileResult
    skipped: bool = False
    progress: Progress = field(default_factory=lambda: Progress(0.0))


class Batch:
    """Dubs files.

    Args:
        inputs: absolute paths and what their dubs are called below the folder of the results, in
            order of their urgency.
        wanted: of each.
        results: are kept up to date.
        crew: does it.
    """

    def __init__(
        self, inputs: Sequence[tuple[Path, Path]], wanted: Wanted, results: Results, crew: Crew
    ) -> None:
        self._wanted, self._results, self._crew = wanted, results, crew
        self.items = [self._item(path, output) for path, output in inputs]
        """In order of their urgency."""
        results.begin(item.result for item in self.items)

    def _item(self, path: Path, output: Path) -> Item:
        wanted, known = self._wanted, self._results.of(path)
        beside = {"subtitles": wanted.subtitles, "report": wanted.report}
        settings = fingerprint(path, wanted.config, output=str(output), **beside)
        finished = known is not None and known.state == "finished" and known.settings == settings
        if wanted.resume and finished and (self._results.folder / output).exists():
            assert known is not None
            return Item(path, known, skipped=True)
        return Item(path, FileResult(input=str(path), output=str(output), settings=settings))

    async def run(self, told: Callable[[Item], None] = lambda item: None) -> None:
        """Dub every file that is not finished.

        Args:
            told: called when a file begins, and when it has ended.
        """
        keeping = asyncio.create_task(self._results.keep())
        try:
            async with asyncio.TaskGroup() as group:
                for rank, item in enumerate(self.items):
                    if not item.skipped:
                        group.create_task(self._dub(item, rank, told))
        finally:
            keeping.cancel()
            for item in self.items:
                if item.result.state == "dubbing":
                    item.result.state = "waiting"
            self._results.write()

    async def _dub(self, item: Item, rank: int, told: Callable[[Item], None]) -> None:
        result, whole, began = item.result, self._task(item), 0.0

        async def begin() -> Task:
            nonlocal began
            began, result.state = time.monotonic(), "dubbing"
            told(item)
            self._results.changed()
            return await first_task(whole, self._wanted.parting, self._crew.spare)

        def tell(progress: Progress) -> None:
            item.progress = progress

        try:
            done = await self._crew.do(begin, rank, tell)
            if isinstance(done, Parted):
                done = await in_pieces(self._crew, rank, whole, done, tell)
            assert isinstance(done, Dubbed)
        except TaskFailed as error:
            result.state, result.error = "failed", str(error)
        else:
            result.state, result.summary, result.notes = "finished", done.summary, done.notes
        result.wall_s = round(time.monotonic() - began, 1)
        told(item)
        self._results.changed()

    def _task(self, item: Item) -> DubFile:
        wanted, output = self._wanted, self._results.folder / item.result.output
        job = FileJob(item.path, output, resume=wanted.resume)
        if wanted.subtitles:
            job = replace(job, subtitles=output.parent)
        if wanted.report:
            job = replace(job, report=output.with_suffix(".json"))
        return DubFile(job, wanted.config)
