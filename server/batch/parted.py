"""The tasks of a film that is dubbed in pieces, by all who are free."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from server.batch.crew import Crew, TaskFailed
from server.batch.tasks import (
    CutFilm,
    Done,
    DubFile,
    DubPiece,
    Parted,
    PieceDubbed,
    Progress,
    Task,
    Tell,
)
from server.config import Config
from stream.media.source import MediaSource, SourceError
from stream.timeline import seconds

SHARE = 0.9
"""Of the work that the pieces are, as far as progress is shown."""


@dataclass(frozen=True, slots=True)
class Parting:
    """Which films are parted.

    Attributes:
        least: seconds from which a film is, if somebody has nothing else to do.
        piece: seconds of a piece.
    """

    least: float = 600.0
    piece: float = 180.0


def folder_of(output: Path) -> Path:
    """Where the pieces of a film are kept while it is dubbed: beside its dub."""
    return output.with_name(f".{output.stem}.part.pieces")


async def first_task(whole: DubFile, parting: Parting, spare: int) -> Task:
    """How to begin with a film: as a whole, or by parting it for those who are free.

    Args:
        whole: its task as a whole.
        parting: see there.
        spare: workers that nothing waits for.
    """
    if spare:
        length = await asyncio.to_thread(_length, whole.job.input, whole.config)
        if length is not None and length >= parting.least:
            pieces = folder_of(whole.job.output)
            return CutFilm(whole.job, whole.config, pieces, parting.piece)
    return whole


async def in_pieces(crew: Crew, rank: int, whole: DubFile, parted: Parted, tell: Tell) -> Done:
    """Have the pieces dubbed side by side, then the film with what they made known.

    A piece that fails costs time alone: what it would have asked is asked for the whole.

    Raises:
        TaskFailed: if the film fails.
    """
    folder, voice = folder_of(whole.job.output), 0.0
    done = [0.0] * len(parted.begins)

    async def piece(number: int, first: int, last: int | None) -> None:
        nonlocal voice

        async def begin() -> Task:
            return DubPiece(whole.config, folder, first, last, voice)

        def heard(progress: Progress) -> None:
            done[number] = progress.done
            tell(Progress(SHARE * sum(done), parted.duration))

        try:
            answer = await crew.do(begin, rank, heard)
        except TaskFailed:
            return
        assert isinstance(answer, PieceDubbed)
        voice = answer.voice

    async def end() -> Task:
        return replace(whole, job=replace(whole.job, resume=True), pieces=folder)

    def joined(progress: Progress) -> None:
        rest = (1 - SHARE) * progress.done
        tell(Progress(SHARE * parted.duration + rest, parted.duration))

    async with asyncio.TaskGroup() as group:
        for number, (first, last) in enumerate(pairwise([*parted.begins, None])):
            assert first is not None
            group.create_task(piece(number, first, last))
    return await crew.do(end, rank, joined)


def _length(path: Path, config: Config) -> float | None:
    """Seconds of a file, where it tells."""
    try:
        source = MediaSource(path, choice=config.input, language=config.languages.one)
    except SourceError:  # said by whoever dubs it
        return None
    source.close()
    return seconds(source.info.duration) if source.info.duration else None
