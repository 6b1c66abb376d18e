"""Bytes of media that do not come from a file that FFmpeg opens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


class Readable(Protocol):
    """A source of bytes, such as a pipe."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at least one and at most ``size``; none at the end."""
        ...


@runtime_checkable
class Divided(Readable, Protocol):
    """Several containers one after the other, since none can say all that happens to a source."""

    def advance(self) -> bool:
        """Go on from the end of one container to the next; whether there is one."""
        ...


class Fetched(Readable, Protocol):
    """One address that was opened."""

    name: str
    """Where it is, after any redirection: what it names beside it is found from there."""

    @property
    def format(self) -> str | None:
        """FFmpeg's name of the container, if it is known."""
        ...

    found: bool
    """Whether it could be opened; what could not is empty."""


class Fetch(Protocol):
    """Opens addresses in FFmpeg's place, those included that a container names."""

    failure: str | None
    """Why an address could not be read when that happened last."""

    def __call__(self, url: str, options: Mapping[str, str], /) -> Fetched:
        """Open an address; ``options`` are those of FFmpeg's protocols. It raises nothing."""
        ...

    def close(self) -> None:
        """Let go of all connections; it may be used again."""
        ...
