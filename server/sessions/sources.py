"""How media reaches a live session: it is published, or pulled from a URL or file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av.error

from server.sessions.spec import reads_file
from stream.flow.worker import Worker
from stream.live.source import LAYOUT, Connection, MediaConnection
from stream.media.options import ANY, InputOptions
from stream.media.source import MediaSource, SourceError

ANSWER_TIMEOUT_S = 10.0
"""Time without an answer after which a pulled source is considered gone."""

SEGMENT_TIMEOUT_S = 90.0
"""The same for what comes through HTTP, where HLS may wait for a segment to be made."""

LEAVING_S = 3.0
"""How long a new publisher waits for the previous one to have left."""

PROBE = {"probesize": "2000000", "analyzeduration": "1000000", "fpsprobesize": "0"}
"""The first second of a live stream is enough to identify it (bytes, microseconds)."""

HTTP = {
    "rw_timeout": str(round(ANSWER_TIMEOUT_S * 1e6)),
    "protocol_whitelist": "http,https,httpproxy,tcp,tls,crypto,data",
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
}
"""Segments of HLS may have any name. FFmpeg asks for certain endings lest a playlist makes it read
local files as media; here none can, as a playlist from the network leads to HTTP alone."""

RTSP = {"rtsp_flags": "prefer_tcp"}
"""One connection that passes firewalls and loses nothing; UDP if the server has no other."""

log = logging.getLogger(__name__)


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
    """

    def __init__(self, url: str, choice: InputOptions = ANY, language: str | None = None) -> None:
        self._url = url
        self._choice = choice
        self._language = language
        self._file = reads_file(url)
        self._tried = 0
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
            except SourceError as error:
                failure = str(error).replace(self._url, "the source")  # it may hold secrets
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

    def _connection(self, source: MediaSource) -> MediaConnection:
        return MediaConnection(lambda: source, paced=self._file or source.segmented)

    def open(self) -> MediaSource:
        """Open the source; blocks.

        Raises:
            SourceError: if it cannot be opened.
        """
        if self._file:
            path = Path(self._url.removeprefix("file:"))
            return self._source(path)
        scheme = urlsplit(self._url).scheme
        http = scheme in ("http", "https")
        options = HTTP if http else RTSP if scheme == "rtsp" else {}
        reading = SEGMENT_TIMEOUT_S if http else ANSWER_TIMEOUT_S
        how: dict[str, Any] = {
            "options": PROBE | options,
            "timeout": (ANSWER_TIMEOUT_S, reading),
            "live": True,
        }
        try:
            return self._source(self._url, **how)
        except SourceError as error:
            # FFmpeg knows playlists by the end of their name, or by what the server calls them.
            if not http or not isinstance(error.__cause__, av.error.InvalidDataError):
                raise
            with contextlib.suppress(SourceError):
                return self._source(self._url, format="hls", **how)
            raise

    def _source(self, url: str | Path, **network: Any) -> MediaSource:
        source = MediaSource(
            url, choice=self._choice, language=self._language, layout=LAYOUT, **network
        )
        for note in source.notes:
            log.info("pulled source: %s", note)
        return source
