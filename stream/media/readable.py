"""Bytes of media that do not come from a file that FFmpeg opens."""

from __future__ import annotations

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
