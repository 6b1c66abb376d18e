"""SRT as a source: a publisher who came, or a server that was called."""

from __future__ import annotations

import socket
import time

from server.addresses.pinned import pinned
from server.addresses.reach import Reach
from server.addresses.srt_address import SrtAddress
from server.srt.carrier import Carried, Carrier, link_of
from server.srt.library import SrtError
from server.srt.process import CALL_S
from stream.live.link import Link
from stream.live.published import PublishedConnection
from stream.media.live_input import Reader
from stream.media.opening import NETWORK_CODECS
from stream.media.options import ANY, InputOptions

SOURCE_OPTIONS = {
    "probesize": "2000000",
    "analyzeduration": "1000000",
    "fpsprobesize": "0",
    "codec_whitelist": NETWORK_CODECS,
    "format_whitelist": "mpegts",
}
"""A second of a stream says what it holds."""

IDLE_S = 10.0
"""Time without media after which a server that was called is gone."""

START_S = 10.0
"""Time for the process to start, on a busy machine."""


class SrtConnection(PublishedConnection):
    """A publisher whose MPEG-TS comes through a process of its own.

    Args:
        name: of the source, in messages.
        connection: that the process fills.
        reader: where it is read.
        choice: which of its sounds is dubbed.
        language: that is spoken, if it is known.
    """

    def __init__(
        self,
        name: str,
        connection: socket.socket,
        reader: Reader = "thread",
        choice: InputOptions = ANY,
        language: str | None = None,
    ) -> None:
        carried = Carried(connection)
        super().__init__("srt", name, carried, "mpegts", SOURCE_OPTIONS, reader, choice, language)


class Call:
    """A server that was called; ``read`` gives what it sends. Blocks while it is called.

    Args:
        url: of ``srt``.
        reach: where the server may be.

    Raises:
        AddressError: if the URL is not right, or leads out of reach.
        SrtError: if it cannot be connected.
    """

    def __init__(self, url: str, reach: Reach) -> None:
        self._carrier = Carrier(SrtAddress.parsed(pinned(url, reach).url), idle=IDLE_S)
        self._link: Link | None = None
        self._looked = time.monotonic()
        self.failure: str | None = None
        try:
            self._carried = self._answered()
        except BaseException:
            self._carrier.close()
            raise

    def read(self, size: int, /) -> bytes:
        """See ``Readable``."""
        if time.monotonic() - self._looked > 1:
            self._look()
        return self._carried.read(size)

    @property
    def link(self) -> Link | None:
        """How the network does, as far as it is known."""
        return self._link

    def close(self) -> None:
        """Hang up; a read under way ends. Idempotent."""
        self._carried.close()
        self._carrier.close()

    def _answered(self) -> Carried:
        self._carrier.control.settimeout(START_S + CALL_S)
        try:
            note, connection = self._carrier.hear()
        except TimeoutError:
            note, connection = {"failed": "nobody answers there"}, None
        if connection is None:
            raise SrtError(note.get("failed", "the process for SRT has ended"))
        self._carrier.control.setblocking(False)
        return Carried(connection)

    def _look(self) -> None:
        """Take the newest of the notes, which nobody else reads."""
        self._looked = time.monotonic()
        try:
            while True:
                note, _ = self._carrier.hear()
                if not note:
                    return
                if "figures" in note:
                    self._link = link_of(note["figures"])
        except OSError:
            return  # there is none now
