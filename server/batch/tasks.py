"""What a worker is asked to do, and what it says: plain records that are written as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from server.config import Config
from server.sessions.file_job import FileJob


@dataclass(frozen=True, slots=True)
class DubFile:
    """Dub a file from beginning to end.

    Attributes:
        job: what is wanted.
        config: checked, and settled for this machine.
        pieces: folder with what its pieces made known, if it was cut; it is removed afterwards.
    """

    job: FileJob
    config: Config
    pieces: Path | None = None
    kind: Literal["file"] = "file"


@dataclass(frozen=True, slots=True)
class CutFilm:
    """Find the speech in a film, and where the film may be parted.

    Attributes:
        job: its dub.
        config: as above.
        pieces: folder for what is found; what an earlier run left there is used if the job is
            resumed.
        length: seconds of a piece.
    """

    job: FileJob
    config: Config
    pieces: Path
    length: float
    kind: Literal["cut"] = "cut"


@dataclass(frozen=True, slots=True)
class DubPiece:
    """Recognise, translate and speak a piece of a film that was parted.

    Attributes:
        config: as above.
        pieces: the film's folder.
        first: VAD window at which it begins.
        last: at which the next one does; ``None`` for the last one.
        voice: characters a second of the voice, as pieces before have shown; 0 if none has.
    """

    config: Config
    pieces: Path
    first: int
    last: int | None
    voice: float = 0.0
    kind: Literal["piece"] = "piece"


Task = DubFile | CutFilm | DubPiece


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is.

    Attributes:
        done: seconds of media.
        of: seconds in all, where that is known.
    """

    done: float
    of: float | None = None
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class Dubbed:
    """A file was dubbed.

    Attributes:
        summary: of the report.
        notes: of the report, and what came of cutting the file.
    """

    summary: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    kind: Literal["dubbed"] = "dubbed"


@dataclass(frozen=True, slots=True)
class Parted:
    """A film was parted.

    Attributes:
        begins: VAD windows at which its pieces begin.
        duration: seconds of the film.
    """

    begins: list[int]
    duration: float
    kind: Literal["parted"] = "parted"


@dataclass(frozen=True, slots=True)
class PieceDubbed:
    """A piece was dubbed.

    Attributes:
        voice: characters a second of the voice, as was learnt.
    """

    voice: float
    kind: Literal["spoken"] = "spoken"


@dataclass(frozen=True, slots=True)
class Failed:
    """A task failed.

    Attributes:
        reason: a sentence, or as much of one as there is.
    """

    reason: str
    kind: Literal["failed"] = "failed"


Done = Dubbed | Parted | PieceDubbed

Tell = Callable[[Progress], None]
"""Takes progress."""

TASKS: TypeAdapter[Task] = TypeAdapter(Task)
ANSWERS: TypeAdapter[Progress | Done | Failed] = TypeAdapter(Progress | Done | Failed)
