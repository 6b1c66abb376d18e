"""``livedub batch``: dub many media files, several at once."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import signal
import time
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from rich.console import Console

from server.batch.batch import Batch, Wanted
from server.batch.crew import Crew
from server.batch.inputs import find, in_order, named
from server.batch.results import Results
from server.batch.room import files_at_once, sharing
from server.batch.workers import Workers
from server.cluster.models import NO_RAY
from server.commands.assignments import assignments
from server.commands.batch_progress import print_results, shown
from server.commands.models import pull_arguments
from server.config import load
from server.engines.cores import usable_cores
from server.engines.settled import choice, require, settled
from stream.errors import UserError


class Closing(Crew, Protocol):
    """A crew that is let go in the end."""

    async def aclose(self) -> None:
        """Let it go."""
        ...


FAILED = 1
"""Exit status if some files could not be dubbed."""

STOPPED = 130


def run_batch(options: argparse.Namespace, console: Console) -> int:
    """Dub ``options.inputs`` into ``options.out``; exit status 0, 1 if some failed, or 130."""
    config = load(options.config, preset=options.preset, assignments=assignments(options))
    inputs = in_order(find(options.inputs, options.out), options.first)
    require(config, pull_arguments(options), also_named=options.preset is not None)
    if chosen := choice(config):
        console.print(chosen, highlight=False, soft_wrap=True)
    folder = _made(options.out)
    lock = FileLock(folder / ".batch.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(f"another livedub batch writes into {folder}: wait for it") from None
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    with lock:
        results = Results(folder)
        names = named(inputs, config.target, results.outputs)
        paths = [(one.path, name) for one, name in zip(inputs, names, strict=True)]
        crew, sharers = _crew(options)
        wanted = Wanted(
            sharing(settled(config), sharers), options.subtitles, options.report, options.resume
        )
        batch = Batch(paths, wanted, results, crew)
        return asyncio.run(_run(batch, crew, folder, console))


def _crew(options: argparse.Namespace) -> tuple[Closing, int]:
    """Who does it, a cluster's nodes or processes here, and how many share this many cores."""
    given = assignments(options)
    config = load(options.config, preset=options.preset, assignments=given, cluster=True)
    if config.cluster.address is None:
        jobs = options.jobs or files_at_once()
        return Workers(jobs, verbose=options.verbose), jobs
    if importlib.util.find_spec("ray") is None:
        raise UserError(NO_RAY)
    from server.batch.ray_crew import RayCrew

    return RayCrew(config.cluster.address, options.jobs), usable_cores()  # a core for each


def _made(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: --out takes a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from None
    return folder.resolve()


async def _run(batch: Batch, crew: Closing, folder: Path, console: Console) -> int:
    loop, began, stopped = asyncio.get_running_loop(), time.monotonic(), False
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        async with shown(batch, console) as told:
            await batch.run(told)
    except asyncio.CancelledError:
        stopped = True
    await crew.aclose()
    print_results(batch, folder, time.monotonic() - began, console)
    if stopped:
        return STOPPED
    return FAILED if any(item.result.state == "failed" for item in batch.items) else 0
