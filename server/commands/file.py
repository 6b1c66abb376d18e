"""``livedub file``: dub one media file and write what goes with it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from server.commands.assignments import assignments
from server.commands.file_progress import clock, print_summary, show_progress
from server.commands.models import pull_arguments
from server.config import Config, load
from server.engines.pool import EnginePool
from server.evaluation.plot import require_matplotlib
from server.sessions.dub_file import dub_file
from server.sessions.file import FileSession
from server.sessions.file_job import FileJob
from stream.errors import UserError
from stream.media.sink import STANDARD_OUTPUT
from stream.timeline import seconds

STANDARD_INPUT = Path("-")


def run_file(options: argparse.Namespace, console: Console) -> int:
    """Dub ``options.input`` into ``options.output``; exit status 0, or 130 when interrupted."""
    config = load(options.config, preset=options.preset, assignments=assignments(options))
    if options.output is None:
        options.output = _named(options.input, config.target)
    _check_paths(options)
    if options.resume and (options.realtime or options.output == STANDARD_OUTPUT):
        raise UserError(
            "--resume goes on with a file that is dubbed as fast as possible: not with --realtime, "
            "nor with standard output"
        )
    if options.delay is not None and not options.realtime:
        console.print("Note: --delay has no effect without --realtime.", highlight=False)
    with _at_hand(options.input, console) as path:
        return asyncio.run(_dub(_job(options, path), config, console))


def _named(path: Path, language: str) -> Path:
    """The output where none is named: beside the input, with the language of the dub."""
    if path == STANDARD_INPUT:
        raise UserError("what comes by standard input has no name: name the output, or - for it")
    return path.with_name(f"{path.stem}.{language}{path.suffix}")


@contextlib.contextmanager
def _at_hand(path: Path, console: Console) -> Iterator[Path]:
    """The input as a file: a copy of standard input, since some containers begin at their end."""
    if path != STANDARD_INPUT:
        yield path
        return
    if sys.stdin.isatty():
        raise UserError("standard input is a terminal: pipe media into livedub, or name a file")
    with tempfile.NamedTemporaryFile(prefix="livedub-") as copy:
        console.print("Reading standard input.", highlight=False)
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)


def _job(options: argparse.Namespace, path: Path) -> FileJob:
    return FileJob(
        path,
        options.output,
        realtime=options.realtime,
        resume=options.resume,
        subtitles=options.subtitles,
        report=options.report,
        plot=options.plot,
        stems=options.stems,
        subtitles_in=options.subtitles_in,
        subtitles_lang=options.subtitles_lang,
        pull=pull_arguments(options),
        preset=options.preset is not None,
    )


async def _dub(job: FileJob, config: Config, console: Console) -> int:
    pool = EnginePool()
    try:
        dubbed = await dub_file(job, config, pool, _Screen(console))
    finally:
        await pool.aclose()
    report = dubbed.outcome.report
    print_summary(report, console)
    if dubbed.stopped:
        of = f" of {clock(seconds(dubbed.duration))}" if dubbed.duration else ""
        again = "; the same command with --resume goes on from there" if job.keeps_journal else ""
        ended = clock(report.summary.media_s)
        console.print(f"It ends at {ended}{of}{again}.", highlight=False, soft_wrap=True)
    return 130 if dubbed.stopped else 0


class _Screen:
    """Shows the job, and obeys the keyboard: made in the task that Ctrl-C may end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._task = asyncio.current_task()

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def loading(self) -> contextlib.AbstractContextManager[object]:
        if not self._console.is_terminal:
            return contextlib.nullcontext()
        return self._console.status("Loading models")

    async def watch(self, session: FileSession, duration: int | None) -> None:
        self._stop_on_signals(session)
        await show_progress(session, duration, self._console)

    def _stop_on_signals(self, session: FileSession) -> None:
        """First Ctrl-C or SIGTERM: finish the file with what is dubbed. Second: give up at once."""
        loop, task = asyncio.get_running_loop(), self._task
        assert task is not None

        def handle() -> None:
            if session.stopped:
                task.cancel()
                return
            self._console.print("Stopping: finishing the file with what is dubbed so far.")
            session.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, handle)


def _check_paths(options: argparse.Namespace) -> None:
    """Find out before an hour of work whether its results can be written."""
    if options.output.is_dir():
        raise UserError(f"{options.output} is a folder: name the file to write")
    both = options.output.exists() and options.input.exists()
    if both and options.output.samefile(options.input):
        raise UserError(f"{options.output} is the input: name another file to write")
    for path in (options.output, options.report, options.plot):
        if path is not None and not path.absolute().parent.is_dir():
            raise UserError(f"{path.parent} does not exist: make the folder first")
    for name in ("subtitles", "stems"):
        folder = getattr(options, name)
        if folder is not None and folder.is_file():
            raise UserError(f"{folder} is a file: --{name} takes a folder")
    if options.plot is not None:
        require_matplotlib()
