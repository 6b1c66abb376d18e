"""A publisher whose media comes in a container, through whatever receives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from stream.live.connection import ConnectionStatus
from stream.live.link import Link
from stream.live.source import LAYOUT, MediaConnection
from stream.media.confined.reader import opened
from stream.media.live_input import LiveInput, Reader
from stream.media.options import ANY, InputOptions
from stream.media.readable import Readable


class Received(Readable, Protocol):
    """What is received, until it is closed."""

    def close(self) -> None:
        """Break off: a read under way ends."""
        ...


class PublishedConnection(MediaConnection):
    """A connection made of what a publisher sends.

    Args:
        transport: how it comes.
        name: of the source, in messages.
        received: what comes; closed with the connection.
        format_: FFmpeg's name of the container.
        options: for FFmpeg's demultiplexer.
        reader: where it is read.
        choice: which of its sounds is dubbed.
        language: that is spoken, if it is known.
    """

    def __init__(
        self,
        transport: str,
        name: str,
        received: Received,
        format_: str,
        options: Mapping[str, str],
        reader: Reader = "thread",
        choice: InputOptions = ANY,
        language: str | None = None,
    ) -> None:
        self._transport, self._received = transport, received
        self.link: Link | None = None
        """How the network does, as far as it is known."""
        given = LiveInput(
            name,
            LAYOUT,
            choice=choice,
            language=language,
            options=options,
            format=format_,
            file=received,
        )
        super().__init__(lambda: opened(given, reader))

    async def aclose(self) -> None:
        """Break off; what has been read is still given out."""
        self._received.close()

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        return ConnectionStatus(self._transport, link=self.link)
