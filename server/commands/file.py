"""``livedub file``: dub one media file and write what goes with it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import signal
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from server.config import Config, load
from server.engines.pool import EnginePool, LaneEngines, SourceEngines
from server.engines.settled import choice, settled
from server.evaluation.plot import draw_sync, require_matplotlib
from server.evaluation.report import Report
from server.sessions.file import FileSession, Outcome
from server.sessions.journal import Journal, journal_of
from server.sessions.subtitle_files import SubtitleFiles
from stream.errors import UserError
from stream.media.sink import FileSink, part_of
from stream.media.source import MediaSource
from stream.timeline import seconds


def run_file(options: argparse.Namespace, console: Console) -> int:
    """Dub ``options.input`` into ``options.output``; exit status 0, or 130 when interrupted."""
    config = load(options.config, preset=options.preset, assignments=_assignments(options))
    _check_paths(options)
    if options.resume and options.realtime:
        raise UserError(
            "--resume goes on with a file that is dubbed as fast as possible, without --realtime"
        )
    if options.delay is not None and not options.realtime:
        console.print("Note: --delay has no effect without --realtime.", highlight=False)
    return asyncio.run(_dub(options, config, console))


async def _dub(options: argparse.Namespace, config: Config, console: Console) -> int:
    source = MediaSource(options.input, choice=config.input, language=config.languages.source)
    pool, began = EnginePool(), time.monotonic()
    journal: Journal | None = None
    stopped = False
    try:
        if chosen := choice(config):
            console.print(chosen, highlight=False, soft_wrap=True)
        config = settled(config)
        with console.status("Loading models") if console.is_terminal else contextlib.nullcontext():
            engines = await pool.source(config, "file")
            lane_engines = await pool.lane(config, "file")
        if not options.realtime:
            journal = _journal(options, console)
            engines = journal.source(engines, config)
            lane_engines = journal.lane(lane_engines, config)
        session = _session(options, config, source, engines, lane_engines, began)
        interrupted = _stop_on_signals(session, console)
        outcome = await _run(session, options, config, source, console)
        stopped = interrupted.is_set()
    except BaseException:
        source.close()
        raise
    finally:
        await pool.aclose()
        if journal is not None:
            await journal.aclose(forget=not (stopped or part_of(options.output).exists()))
    _write_companions(options, session, config, outcome)
    _print_summary(outcome.report, console)
    if stopped and journal is not None:
        console.print("The same command with --resume goes on from here.", highlight=False)
    return 130 if stopped else 0


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
) -> FileSession:
    load_seconds = time.monotonic() - began
    sink = FileSink(
        options.output,
        source.info,
        language=config.target,
        source_language=config.languages.source,
        replace=config.output.replace,
        bitrate=config.output.bitrate,
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
    watching = [asyncio.ensure_future(_show_progress(session, source.info.duration, console))]
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
    stem, languages = options.output.stem, (config.languages.source, config.target)
    return SubtitleFiles(options.subtitles, stem, *languages)


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


async def _show_progress(session: FileSession, duration: int | None, console: Console) -> None:
    """A bar on a terminal, a line every five seconds of wall time elsewhere."""
    began = time.monotonic()
    total = seconds(duration) if duration else None

    def state() -> tuple[float, float]:
        done = seconds(session.position)
        return done, done / max(time.monotonic() - began, 1e-6)

    if not console.is_terminal:
        while True:
            await asyncio.sleep(5)
            done, speed = state()
            left = f", {_clock((total - done) / speed)} left" if total and speed else ""
            of = f" of {_clock(total)}" if total else ""
            console.print(f"{_clock(done)}{of} dubbed, {speed:.1f}x{left}", highlight=False)
    columns = (
        TextColumn("{task.fields[clock]}"),
        BarColumn(None),
        TextColumn("{task.fields[speed]:.1f}x"),
        TextColumn("{task.fields[dubs]} dubbed"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total, clock=_clock(0), speed=0.0, dubs=0)
        while True:
            done, speed = state()
            dubs = sum(job.dub is not None for job in session.jobs)
            progress.update(task, completed=done, clock=_clock(done), speed=speed, dubs=dubs)
            await asyncio.sleep(0.2)


def _clock(time_: float) -> str:
    minutes, rest = divmod(max(0, math.floor(time_)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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


def _print_summary(report: Report, console: Console) -> None:
    summary = report.summary
    table = Table(title=f"{report.output}: {report.source_language} -> {report.target_language}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    onset = summary.onset_error_ms
    rows: list[tuple[str, object, str]] = [
        ("media", f"{summary.media_s:.1f}", "s"),
        ("speed", f"{summary.speed:.2f}", "x real time"),
        ("utterances dubbed on time", summary.on_time_rate, ""),
        (
            "late / dropped / failed / truncated",
            " / ".join(
                map(str, (summary.late, summary.dropped, summary.failed, summary.truncated))
            ),
            "",
        ),
        ("onset error, median / p95", f"{onset.median} / {onset.p95}", "ms"),
        ("isochrony", summary.isochrony, ""),
        ("share above tempo 1.25", summary.tempo_share_above_1_25, ""),
        ("speech, original / dub", f"{summary.lufs_original} / {summary.lufs_dub}", "LUFS"),
        ("first dub latency", summary.first_dub_latency_s, "s"),
        ("peak memory", f"{summary.peak_rss_mb:.0f}", "MB"),
    ]
    for name, value, unit in rows:
        table.add_row(name, "-" if value is None else str(value), unit)
    console.print(table)
    for note in report.notes:
        console.print(f"Note: {note}.", highlight=False, soft_wrap=True)
