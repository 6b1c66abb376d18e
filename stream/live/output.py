"""Where a feed goes beside its viewers: what every output can do, and the record of its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from stream.live.link import Link

OutputState = Literal["running", "retrying", "failed", "ended"]


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """The state of one output; holds no secrets.

    Attributes:
        kind: ``hls``, ``push`` or ``recording``.
        target: where it goes: a file's name, or scheme and host of a server.
        state: ``retrying`` while it reconnects, ``failed`` if it ended for good before its
            session, ``ended`` once it has finished.
        failure: why it is ``retrying`` or ``failed``, in one sentence.
        reconnects: times that a broken connection was re-established.
        missed: ticks of the session's sound that it lacks.
        missed_pictures: pictures dropped because it was too slow.
        link: how the network does, where the protocol tells.
    """

    kind: Literal["hls", "push", "recording"]
    target: str
    state: OutputState
    failure: str | None = None
    reconnects: int = 0
    missed: int = 0
    missed_pictures: int = 0
    link: Link | None = None


class Output(Protocol):
    """Where a feed goes beside its viewers; created before the feed starts, in its event loop."""

    async def run(self) -> None:
        """Carry the feed until it ends or ``aclose``; ``status`` reports faults."""

    async def aclose(self) -> None:
        """Finish what was begun."""

    def status(self) -> OutputStatus:
        """What it is doing and what it has missed so far."""
        ...


def why(error: Exception) -> str:
    """Why a file cannot be written, without its path, which is not for the public."""
    for one in (error, error.__cause__):
        if strerror := getattr(one, "strerror", None):
            return str(strerror)
    return str(error)
