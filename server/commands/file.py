"""``livedub file``: dub one media file and write what goes with it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from server.commands.file_progress import clock, print_summary, show_progress
from server.commands.models import pull_arguments
from server.config import Config, load
from server.engines.pool import EnginePool, LaneEngines, SourceEngines
from server.engines.settled import KINDS, choice, require, settled
from server.evaluation.plot import draw_sync, require_matplotlib
from server.sessions.delay import in_seconds
from server.sessions.file import FileSession, Outcome
from server.sessions.journal import Journal, journal_of
from server.sessions.scripted import script_of, scripted
from server.sessions.subtitle_files import SubtitleFiles
from stream.disclosure import SYNTHETIC
from stream.errors import UserError
from stream.media.sink import STANDARD_OUTPUT, FileSink, part_of
from stream.media.source import MediaSource
from stream.speech.script import Script
from stream.timeline import seconds

STANDARD_INPUT = Path("-")


def run_file(options: argparse.Namespace, console: Console) -> int:
    """Dub ``options.input`` into ``options.output``; exit status 0, or 130 when interrupted."""
    config = load(options.config, preset=options.preset, assignments=_assignments(options))
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
    with _at_hand(options.input, console) as options.input:
        return asyncio.run(_dub(options, config, console))


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


async def _dub(options: argparse.Namespace, config: Config, console: Console) -> int:
    source = MediaSource(options.input, choice=config.input, language=config.languages.one)
    pool, began = EnginePool(), time.monotonic()
    journal: Journal | None = None
    stopped = False
    try:
        script = await _script(options, config)
        kinds = KINDS if script is None else KINDS[1:]
        spoken = config if script is None else scripted(config, script)
        _subtitles(options, spoken)
        pull = pull_arguments(options)
        require(spoken, pull, also_named=options.preset is not None, kinds=kinds)
        if chosen := choice(spoken, kinds):
            console.print(chosen, highlight=False, soft_wrap=True)
        spoken = settled(spoken, *kinds)
        if script is None:
            config = spoken
        else:
            config = settled(config, *(("tts",) if script.translated else kinds))
        with console.status("Loading models") if console.is_terminal else contextlib.nullcontext():
            engines = await pool.source(config, "file", script)
            lane_engines = await pool.lane(spoken, "file")
        if options.realtime:
            config, said = in_seconds(config, [lane_engines])
            if said is not None:
                console.print(f"{said[0].upper()}{said[1:]}.", highlight=False, soft_wrap=True)
        if not options.realtime and options.output != STANDARD_OUTPUT:
            journal = _journal(options, console)
            if script is None:
                engines = journal.source(engines, config)
            lane_engines = journal.lane(lane_engines, spoken)
        session = _session(options, config, source, engines, lane_engines, began, script)
        interrupted = _stop_on_signals(session, console)
        outcome = await _run(session, options, spoken, source, console)
        stopped = interrupted.is_set()
    except BaseException:
        source.close()
        raise
    finally:
        await pool.aclose()
        if journal is not None:
            await journal.aclose(forget=not (stopped or part_of(options.output).exists()))
    _write_companions(options, session, spoken, outcome)
    print_summary(outcome.report, console)
    if stopped:
        whole = source.info.duration
        of = f" of {clock(seconds(whole))}" if whole else ""
        again = "" if journal is None else "; the same command with --resume goes on from there"
        ended = clock(outcome.report.summary.media_s)
        console.print(f"It ends at {ended}{of}{again}.", highlight=False, soft_wrap=True)
    return 130 if stopped else 0


async def _script(options: argparse.Namespace, config: Config) -> Script | None:
    """The subtitles that take the place of recognition, if there are any."""
    if options.subtitles_in is None:
        if options.subtitles_lang is not None:
            raise UserError("--subtitles-lang tells the language of --subtitles-in: name that file")
        return None
    return await script_of(options.subtitles_in, options.subtitles_lang, options.input, config)


def _journal(options: argparse.Namespace, console: Console) -> Journal:
    path = journal_of(options.output)
    if options.resume and not path.exists():
        console.print(f"Note: there is nothing to resume for {options.output}.", highlight=False)
    elif path.exists() and not options.resume:
        console.print(
            "Note: an earlier run was not finished; this one begins anew, --resume would go on.",
            highlight=False,
        )
    return Journal(path, resume=options.resume)


def _session(
    options: argparse.Namespace,
    config: Config,
    source: MediaSource,
    engines: SourceEngines,
    lane_engines: LaneEngines,
    began: float,
    script: Script | None,
) -> FileSession:
    load_seconds = time.monotonic() - began
    sink = FileSink(
        options.output,
        source.info,
        language=config.target,
        source_language=config.source,
        replace=config.output.replace,
        bitrate=config.output.bitrate,
        comment=SYNTHETIC if config.output.disclose else "",
    )
    try:
        return FileSession(
            config,
            engines,
            lane_engines,
            source,
            sink,
            realtime=options.realtime,
            load=load_seconds,
            script=script,
        )
    except BaseException:
        sink.discard()
        raise


async def _run(
    session: FileSession,
    options: argparse.Namespace,
    config: Config,
    source: MediaSource,
    console: Console,
) -> Outcome:
    """Run a session, its progress shown and its subtitles written meanwhile."""
    subtitles = _subtitles(options, config)
    watching = [asyncio.ensure_future(show_progress(session, source.info.duration, console))]
    if subtitles is not None:
        watching.append(asyncio.ensure_future(subtitles.follow(lambda: session.jobs)))
    try:
        return await session.run()
    except BaseException:
        part = part_of(options.output)
        if part.exists():
            console.print(f"What is dubbed so far is in {part}.", highlight=False, soft_wrap=True)
            if not options.realtime:
                console.print("The same command with --resume goes on from it.", highlight=False)
        raise
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        if subtitles is not None:
            with contextlib.suppress(OSError):
                await subtitles.finish(session.jobs)


def _subtitles(options: argparse.Namespace, config: Config) -> SubtitleFiles | None:
    if options.subtitles is None:
        return None
    stem = "dub" if options.output == STANDARD_OUTPUT else options.output.stem
    # Their own names say the language already.
    stem = stem.removesuffix(f".{config.target}")
    files = SubtitleFiles(options.subtitles, stem, config.source, config.target)
    given = options.subtitles_in
    if given is not None and any(path.exists() and path.samefile(given) for path in files.paths):
        raise UserError(f"{given} would be overwritten: name another folder for --subtitles")
    return files


def _assignments(options: argparse.Namespace) -> list[str]:
    """The settings of the command line, options of their own last."""
    assignments: list[str] = list(options.set)
    for key, value in (
        ("languages.source", options.source_lang),
        ("languages.target", options.target_lang),
        ("input.track", options.audio_track),
        ("input.channel", options.channel),
        ("playout.delay", options.delay),
        ("playout.bed", options.bed),
        ("output.replace", "true" if options.replace else None),
    ):
        if value is not None:
            assignments.append(f"{key}={value}")
    return assignments


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
    if options.subtitles is not None and options.subtitles.is_file():
        raise UserError(f"{options.subtitles} is a file: --subtitles takes a folder")
    if options.plot is not None:
        require_matplotlib()


def _stop_on_signals(session: FileSession, console: Console) -> asyncio.Event:
    """First Ctrl-C or SIGTERM: finish the file with what is dubbed. Second: give up at once."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def handle() -> None:
        if interrupted.is_set():
            task.cancel()
            return
        interrupted.set()
        console.print("Stopping: finishing the file with what is dubbed so far.")
        session.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)
    return interrupted


def _write_companions(
    options: argparse.Namespace, session: FileSession, config: Config, outcome: Outcome
) -> None:
    """Report, subtitles and plot, as far as they were asked for."""
    if options.report is not None:
        options.report.write_text(outcome.report.model_dump_json(indent=2) + "\n", "utf-8")
    if options.plot is not None:
        draw_sync(options.plot, outcome.report, outcome.source_speech, outcome.dub_speech)
    subtitles = _subtitles(options, config)
    if subtitles is not None:
        subtitles.write(session.jobs)
