"""``livedub batch``: dub many media files, several at once."""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from server.batch.batch import Batch, Wanted
from server.batch.inputs import find, in_order, named
from server.batch.results import Results
from server.batch.room import files_at_once, sharing
from server.batch.workers import Workers
from server.commands.assignments import assignments
from server.commands.batch_progress import print_results, shown
from server.commands.models import pull_arguments
from server.config import load
from server.engines.settled import choice, require, settled
from stream.errors import UserError

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
        jobs = options.jobs or files_at_once()
        wanted = Wanted(
            sharing(settled(config), jobs), options.subtitles, options.report, options.resume
        )
        workers = Workers(jobs, verbose=options.verbose)
        batch = Batch(paths, wanted, results, workers)
        return asyncio.run(_run(batch, workers, folder, console))


def _made(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: --out takes a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from None
    return folder.resolve()


async def _run(batch: Batch, workers: Workers, folder: Path, console: Console) -> int:
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
    await workers.aclose()
    print_results(batch, folder, time.monotonic() - began, console)
    if stopped:
        return STOPPED
    return FAILED if any(item.result.state == "failed" for item in batch.items) else 0
