"""One file dubbed from beginning to end: its engines, its journal, what is written beside it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from server.config import Config
from server.engines.pool import EnginePool, LaneEngines, SourceEngines
from server.engines.second import second_recogniser
from server.engines.settled import KINDS, choice, require, settled
from server.evaluation.plot import draw_sync
from server.sessions.delay import in_seconds
from server.sessions.file import FileSession, Outcome
from server.sessions.file_job import FileJob
from server.sessions.journal import Journal, journal_of
from server.sessions.scripted import script_of, scripted
from server.sessions.stems import Stems
from server.sessions.subtitle_files import SubtitleFiles
from stream.disclosure import SYNTHETIC
from stream.errors import UserError
from stream.media.sink import STANDARD_OUTPUT, FileSink, part_of
from stream.media.source import MediaSource
from stream.speech.script import Script

OWNER = "file"
"""Of the engines that a file uses."""


@dataclass(frozen=True, slots=True)
class Dubbed:
    """A file that was dubbed.

    Attributes:
        outcome: of its session.
        stopped: whether it ends early, as somebody wanted.
        duration: of the source, ticks, where it is known.
        asked: how often the models were asked.
        found: how often the answer was known from an earlier run.
    """

    outcome: Outcome
    stopped: bool
    duration: int | None
    asked: int = 0
    found: int = 0


class Onlooker(Protocol):
    """Whoever is told how a job goes."""

    def say(self, sentence: str) -> None:
        """Something worth knowing."""
        ...

    def loading(self) -> contextlib.AbstractContextManager[object]:
        """Models are loaded within it."""
        ...

    async def watch(self, session: FileSession, duration: int | None) -> None:
        """Follow the session, which may be stopped, until cancelled; ``duration`` is in ticks."""
        ...


async def dub_file(
    job: FileJob,
    config: Config,
    pool: EnginePool,
    onlooker: Onlooker,
    *,
    known: Sequence[Path] = (),
) -> Dubbed:
    """Dub a file and write what goes with it.

    Args:
        job: its folders exist.
        config: checked.
        pool: gives the engines, and keeps them.
        onlooker: is told.
        known: journals of what the models have said of it elsewhere.

    Raises:
        UserError: if the source, the configuration or the output cannot be used.
    """
    source = MediaSource(job.input, choice=config.input, language=config.languages.one)
    began = time.monotonic()
    journal: Journal | None = None
    stopped = False
    try:
        script = await _script(job, config)
        kinds = KINDS if script is None else KINDS[1:]
        spoken = config if script is None else scripted(config, script)
        subtitles_of(job, spoken)
        require(spoken, job.pull, also_named=job.preset, kinds=kinds)
        if chosen := choice(spoken, kinds):
            onlooker.say(chosen)
        spoken = settled(spoken, *kinds)
        if script is None:
            config = spoken
        else:
            config = settled(config, *(("tts",) if script.translated else kinds))
        with onlooker.loading():
            engines = await pool.source(config, OWNER, script)
            if script is None and not job.realtime:
                engines = replace(engines, second=await second_recogniser(config, pool, OWNER))
            lane_engines = await pool.lane(spoken, OWNER)
        if job.realtime:
            config, said = in_seconds(config, [lane_engines])
            if said is not None:
                onlooker.say(f"{said[0].upper()}{said[1:]}.")
        if job.keeps_journal:
            journal = _journal(job, onlooker)
            await journal.absorb(known)
            if script is None:
                engines = journal.source(engines, config)
            lane_engines = journal.lane(lane_engines, spoken)
        session = _session(job, config, source, engines, lane_engines, began, script)
        outcome = await _run(session, job, spoken, source, onlooker)
        stopped = session.stopped
    except BaseException:
        source.close()
        raise
    finally:
        pool.release(OWNER)
        if journal is not None:
            await journal.aclose(forget=not (stopped or part_of(job.output).exists()))
    _write_companions(job, session, spoken, outcome)
    counts = (journal.asked, journal.found) if journal is not None else (0, 0)
    return Dubbed(outcome, stopped, source.info.duration, *counts)


def subtitles_of(job: FileJob, config: Config) -> SubtitleFiles | None:
    """The subtitles that are to be written.

    Raises:
        UserError: if they would take the place of those that are read.
    """
    if job.subtitles is None:
        return None
    stem = "dub" if job.output == STANDARD_OUTPUT else job.output.stem
    # Their own names say the language already.
    stem = stem.removesuffix(f".{config.target}")
    files = SubtitleFiles(job.subtitles, stem, config.source, config.target)
    given = job.subtitles_in
    if given is not None and any(path.exists() and path.samefile(given) for path in files.paths):
        raise UserError(f"{given} would be overwritten: name another folder for --subtitles")
    return files


async def _script(job: FileJob, config: Config) -> Script | None:
    """The subtitles that take the place of recognition, if there are any."""
    if job.subtitles_in is None:
        if job.subtitles_lang is not None:
            raise UserError("--subtitles-lang tells the language of --subtitles-in: name that file")
        return None
    return await script_of(job.subtitles_in, job.subtitles_lang, job.input, config)


def _journal(job: FileJob, onlooker: Onlooker) -> Journal:
    path = journal_of(job.output)
    if job.resume and not path.exists():
        onlooker.say(f"Note: there is nothing to resume for {job.output}.")
    elif path.exists() and not job.resume:
        onlooker.say(
            "Note: an earlier run was not finished; this one begins anew, --resume would go on."
        )
    return Journal(path, resume=job.resume)


def _session(
    job: FileJob,
    config: Config,
    source: MediaSource,
    engines: SourceEngines,
    lane_engines: LaneEngines,
    began: float,
    script: Script | None,
) -> FileSession:
    load_seconds = time.monotonic() - began
    info, stems = source.info, None
    if job.stems is not None:
        stems = Stems(job.stems, job.output.stem, info.layout, info.centre)
    sink = FileSink(
        job.output,
        info,
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
            realtime=job.realtime,
            load=load_seconds,
            script=script,
            stems=stems,
        )
    except BaseException:
        sink.discard()
        raise


async def _run(
    session: FileSession, job: FileJob, config: Config, source: MediaSource, onlooker: Onlooker
) -> Outcome:
    """Run a session, its progress watched and its subtitles written meanwhile."""
    subtitles = subtitles_of(job, config)
    watching = [asyncio.ensure_future(onlooker.watch(session, source.info.duration))]
    if subtitles is not None:
        watching.append(asyncio.ensure_future(subtitles.follow(lambda: session.jobs)))
    try:
        return await session.run()
    except BaseException:
        part = part_of(job.output)
        if part.exists():
            onlooker.say(f"What is dubbed so far is in {part}.")
            if not job.realtime:
                onlooker.say("The same command with --resume goes on from it.")
        raise
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        if subtitles is not None:
            with contextlib.suppress(OSError):
                await subtitles.finish(session.jobs)


def _write_companions(job: FileJob, session: FileSession, config: Config, outcome: Outcome) -> None:
    """Report, subtitles and plot, as far as they were asked for."""
    if job.report is not None:
        job.report.write_text(outcome.report.model_dump_json(indent=2) + "\n", "utf-8")
    if job.plot is not None:
        draw_sync(job.plot, outcome.report, outcome.source_speech, outcome.dub_speech)
    subtitles = subtitles_of(job, config)
    if subtitles is not None:
        subtitles.write(session.jobs)
