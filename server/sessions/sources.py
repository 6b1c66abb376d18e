"""How media reaches a live session: it is published, or pulled from a URL or file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Protocol

from server.addresses.opening import opening
from server.addresses.reach import EVERYWHERE, AddressError, Reach
from server.addresses.shown import without_addresses
from server.sessions.spec import reads_file
from server.srt.connection import SOURCE_OPTIONS, Call
from server.srt.library import SrtError
from stream.flow.worker import Worker
from stream.live.connection import Connection, ConnectionStatus
from stream.live.source import LAYOUT, MediaConnection
from stream.media.confined.reader import opened
from stream.media.live_input import LiveInput, LiveMedia, Reader
from stream.media.opening import SourceError
from stream.media.options import ANY, InputOptions

LEAVING_S = 3.0
"""How long a new publisher waits for the previous one to have left."""

log = logging.getLogger(__name__)


class Way(Protocol):
    """What carries media from a server to the one who reads it."""

    failure: str | None
    """Why it carries nothing, if it knows."""

    def close(self) -> None:
        """Carry no more; idempotent."""


class PublishPoint:
    """Where the publishers of one session arrive, one at a time."""

    def __init__(self) -> None:
        self._offered: asyncio.Queue[Connection] = asyncio.Queue(1)
        self._free = asyncio.Event()
        self._free.set()

    async def connect(self) -> Connection:
        """The next publisher's connection; whoever asks for it has closed the one before."""
        if self._offered.empty():
            self._free.set()
        return await self._offered.get()

    async def aclose(self) -> None:
        """Send away whoever waits to be let in: nobody will ask for a connection any more."""
        while not self._offered.empty():
            await self._offered.get_nowait().aclose()

    async def offer(self, connection: Connection) -> bool:
        """Let a publisher in, unless there is one already.

        A publisher that reconnects at once may find its old connection still closing, and waits.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._free.wait(), LEAVING_S)
        if not self._free.is_set():
            return False
        self._free.clear()
        self._offered.put_nowait(connection)
        return True


class Pull:
    """A pulled source: reconnected whenever it breaks off, or read once if it is a file.

    Args:
        url: that FFmpeg reads, or the path of a file.
        choice: which of its sounds to dub.
        language: that is spoken, if it is known.
        reach: where it may connect to.
        verify: whether certificates are checked.
        reader: where it is read.
    """

    def __init__(
        self,
        url: str,
        choice: InputOptions = ANY,
        language: str | None = None,
        reach: Reach = EVERYWHERE,
        *,
        verify: bool = True,
        reader: Reader = "thread",
    ) -> None:
        self._url = url
        self._reader = reader
        self._reach, self._verify = reach, verify
        self._choice = choice
        self._language = language
        self._file = reads_file(url)
        self._tried = 0
        self._way: Way | None = None
        self.failure: str | None = None
        """Why it could not be connected when that was tried last, in one sentence."""

    async def connect(self) -> Connection | None:
        """The next connection; failed attempts are repeated at growing intervals."""
        while True:
            if self._file and self._tried:
                return None
            if self._tried:
                await asyncio.sleep(min(2.0 ** (self._tried - 1), 30.0))
            self._tried += 1
            worker = Worker("pull")
            try:
                source = await worker.run(self.open)
            except (AddressError, SourceError) as error:
                failure = without_addresses(str(error), self._url)
                # A source that stays away is worth one line, not one for every attempt.
                level = logging.DEBUG if failure == self.failure else logging.WARNING
                log.log(level, "%s", failure)
                self.failure = failure
            else:
                if self.failure is not None:
                    log.info("the source is connected")
                self._tried, self.failure = 1, None
                return self._connection(source)
            finally:
                await worker.aclose()

    def _connection(self, source: LiveMedia) -> MediaConnection:
        return _PulledConnection(source, self._way, paced=self._file or source.segmented)

    def open(self) -> LiveMedia:
        """Open the source; blocks.

        Raises:
            AddressError: if it leads where the session may not connect to.
            SourceError: if it cannot be opened.
        """
        given, self._way = self._given()
        try:
            source = opened(given, self._reader)
        except SourceError as error:
            if self._way is None:
                raise
            self._way.close()
            # What FFmpeg was told instead of the URL is of no use to anybody.
            why = str(error).replace(str(given.address), self._url)
            if self._way.failure is not None:
                why = f"{self._url} cannot be opened: {self._way.failure}"
            raise SourceError(why) from None
        for note in source.notes:
            log.info("pulled source: %s", note)
        return source

    def _given(self) -> tuple[LiveInput, Way | None]:
        """What is opened, and the way there that is to be closed with it."""
        if self._url.startswith("srt:"):
            return self._called()
        chosen = opening(self._url, self._reach, verify=self._verify)
        given = LiveInput(
            chosen.address,
            LAYOUT,
            choice=self._choice,
            language=self._language,
            options=chosen.options,
            format=chosen.format,
            timeout=chosen.timeout,
            fetch=chosen.fetch,
            live=not self._file,
        )
        return given, chosen.relay

    def _called(self) -> tuple[LiveInput, Way | None]:
        try:
            call = Call(self._url, self._reach)
        except SrtError as error:
            raise SourceError(f"{self._url} cannot be opened: {error}") from None
        given = LiveInput(
            self._url,
            LAYOUT,
            choice=self._choice,
            language=self._language,
            options=SOURCE_OPTIONS,
            format="mpegts",
            file=call,
        )
        return given, call


class _PulledConnection(MediaConnection):
    """A source that is open, and the way by which it comes, if that is ours.

    Args:
        source: to be read.
        way: closed with it.
        paced: see ``MediaConnection``.
    """

    def __init__(self, source: LiveMedia, way: Way | None, *, paced: bool) -> None:
        super().__init__(lambda: source, paced=paced)
        self._way = way

    async def aclose(self) -> None:
        """See ``Connection``."""
        await super().aclose()
        if self._way is not None:
            self._way.close()

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        link = self._way.link if isinstance(self._way, Call) else None
        return replace(super().status(), link=link)
