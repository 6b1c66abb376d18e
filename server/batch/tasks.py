"""What a worker is asked to do, and what it says: plain records that are written as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
    """

    job: FileJob
    config: Config
    kind: Literal["file"] = "file"


Task = DubFile


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is.

    Attributes:
        done: seconds of media.
        of: seconds in all, where that is known.
    """

    done: float
    of: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A task was done.

    Attributes:
        summary: of the report.
        notes: of the report.
    """

    summary: dict[str, Any]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failed:
    """A task failed.

    Attributes:
        reason: a sentence, or as much of one as there is.
    """

    reason: str


Tell = Callable[[Progress], None]
"""Takes progress."""

TASKS: TypeAdapter[Task] = TypeAdapter(Task)
ANSWERS: TypeAdapter[Progress | Done | Failed] = TypeAdapter(Progress | Done | Failed)
