"""A session pushed to another server: picture and one track by RTMP, or MPEG-TS over UDP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections import deque
from urllib.parse import urlsplit

from server.push_process import hello, picture_record, sound_record
from stream.aac import AacEncoder, AacPacket
from stream.feed import Feed, PictureFormat, PicturePacket
from stream.muxer import SoundTrack
from stream.tap import Batch, FeedTap
from stream.timeline import TICK_RATE
from stream.worker import Worker

CONTAINERS = {"rtmp": "flv", "rtmps": "flv", "udp": "mpegts"}
"""Container by the URL's scheme."""

CODECS = {"flv": {"h264", "hevc"}, "mpegts": {"h264", "hevc"}}

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before the first attempt to reconnect; every one that fails doubles them."""

STALLED = 10.0
"""Seconds that a server may take nothing before it is given up."""

_log = logging.getLogger(__name__)


class RtmpPush:
    """Pushes until the feed ends, however often the server goes away; made in the feed's loop.

    The stream begins, and begins anew, with a key picture. What a slow server does not take is
    dropped up to the next key picture, after 10 s of waiting.

    Args:
        feed: the session.
        track: its sound.
        url: ``rtmp://``, ``rtmps://`` or ``udp://``; its last part, often a secret, is not logged.

    Raises:
        ValueError: for another URL.
        KeyError: for a track that the feed does not have.
    """

    def __init__(self, feed: Feed, track: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in CONTAINERS or not parts.hostname:
            raise ValueError(
                "a push goes to rtmp://host/application/name, rtmps:// or udp://host:port"
            )
        self._container = CONTAINERS[parts.scheme]
        # Datagrams of seven whole packets pass through any network.
        sized = parts.scheme != "udp" or "pkt_size" in parts.query
        self._url = url if sized else f"{url}{'&' if parts.query else '?'}pkt_size=1316"
        self.place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        """Where it goes, as shown to people."""
        self._track = track
        self._sound = SoundTrack(feed.channels, language=track)
        self._encoder = AacEncoder(feed.channels)
        self._tap = FeedTap(feed, (track,))
        self._worker = Worker("push")
        self._link: _Link | None = None
        self._coded: PictureFormat | None = None
        self._begun: int | None = None  # media time at which sound was first heard
        self._pause = FIRST_PAUSE
        self._retry_at = 0.0
        self._done = asyncio.Event()
        self._running = False
        self.reconnects = 0
        """Times that a connection was opened again."""
        self.failure: str | None = None
        """Why the newest connection ended, ``None`` while one is open."""

    @property
    def missed(self) -> int:
        """Pictures and blocks of sound that a slow server did not take."""
        return self._tap.missed

    @property
    def connected(self) -> bool:
        """Whether the stream is being written; what is refused shows within a second or so."""
        return self._link is not None

    async def run(self) -> None:
        """Push until the feed ends."""
        self._running = True
        try:
            async for batch in self._tap.batches(0.1):
                await self._push(batch)
            if self._link is not None:
                await self._link.finish()
        finally:
            self._tap.close()
            if self._link is not None:
                await self._link.kill()
                self._link = None
            await self._worker.aclose()
            self._done.set()

    async def aclose(self) -> None:
        """End the push and wait until it has ended."""
        self._tap.close()
        if self._running:
            await self._done.wait()

    async def _push(self, batch: Batch) -> None:
        blocks = batch.sound[self._track]
        if self._begun is None and blocks:
            self._begun = blocks[0].start
        packets = await self._worker.run(
            lambda: [packet for block in blocks for packet in self._encoder.encode(block)]
        )
        pictures = [one for one in batch.pictures if one.format.codec in CODECS[self._container]]
        for run in _runs(pictures):
            if run[0].format != self._coded and self._link is not None and run[0].key:
                # A running stream cannot change what its pictures are: it begins anew.
                await self._link.finish()
                self._link = None
                self._retry_at = 0.0
            await self._send(run, [])
        await self._send([], packets)

    async def _send(self, pictures: list[PicturePacket], packets: list[AacPacket]) -> None:
        if self._link is None and not await self._open(pictures, packets):
            return
        link = self._link
        assert link is not None
        records: list[tuple[int, bytes]] = []
        if self._coded is not None:
            records += [(one.time, picture_record(one)) for one in pictures]
        records += [(one.time, sound_record(one)) for one in packets if one.time >= link.zero]
        records.sort(key=lambda record: record[0])
        try:
            await link.write(b"".join(data for _, data in records))
        except _LinkError as error:
            self._lost(str(error), link)
            await link.kill()

    async def _open(self, pictures: list[PicturePacket], packets: list[AacPacket]) -> bool:
        """Open a connection if one may be opened and there is something to begin with."""
        loop = asyncio.get_running_loop()
        key = next((at for at, one in enumerate(pictures) if one.key), None)
        if loop.time() < self._retry_at:
            return False
        if key is not None:
            del pictures[:key]
            self._coded, zero = pictures[0].format, pictures[0].time
        elif self._coded is None and packets and self._silent_picture(packets[0].time):
            zero = packets[0].time
        else:
            return False
        if self.failure is not None:
            self.reconnects += 1
        self._link = _Link(self._url, zero, loop.time())
        await self._link.open(hello(self._url, self._container, self._coded, self._sound, zero))
        self.failure = None
        return True

    def _silent_picture(self, time: int) -> bool:
        return self._begun is not None and time - self._begun >= 2 * TICK_RATE

    def _lost(self, reason: str, link: _Link) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - link.opened > LONGEST_PAUSE:
            self._pause = FIRST_PAUSE
        self._link = None
        self._retry_at = loop.time() + self._pause
        self.failure = f"the push to {self.place} broke off: {reason}"
        _log.warning("%s; trying again in %.0f s", self.failure, self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


class _LinkError(Exception):
    """The connection is of no more use; the message says why."""


class _Link:
    """The process that holds one connection; see `server.push_process`."""

    def __init__(self, url: str, zero: int, opened: float) -> None:
        self._url = url
        self.zero = zero
        self.opened = opened
        self._process: asyncio.subprocess.Process | None = None
        self._said: deque[str] = deque(maxlen=1)
        self._listening: asyncio.Task[None] | None = None

    async def open(self, first: bytes) -> None:
        path = os.pathsep.join(one for one in sys.path if one)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server.push_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us: what was handed over is still to be sent
            env={**os.environ, "PYTHONPATH": path},
        )
        self._listening = asyncio.create_task(self._listen(self._process))
        assert self._process.stdin is not None
        self._process.stdin.write(first)

    async def write(self, data: bytes) -> None:
        """Hand data over, waiting while the server takes none.

        Raises:
            _LinkError: if the connection broke, or nothing moves.
        """
        assert self._process is not None and self._process.stdin is not None
        try:
            if self._process.returncode is not None:
                raise BrokenPipeError
            self._process.stdin.write(data)
            async with asyncio.timeout(STALLED):
                await self._process.stdin.drain()
        except TimeoutError:
            raise _LinkError(f"the server took nothing for {STALLED:.0f} s") from None
        except (BrokenPipeError, ConnectionResetError):
            assert self._listening is not None
            await asyncio.wait([self._listening], timeout=1.0)
            raise _LinkError(self._reason()) from None

    async def finish(self) -> None:
        """Let what was handed over be written, then end."""
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            self._process.stdin.close()
            async with asyncio.timeout(5.0):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End at once."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        with contextlib.suppress(ValueError):  # a line too long to be a sentence
            async for line in process.stderr:
                self._said.append(line.decode(errors="replace").strip())

    def _reason(self) -> str:
        said = self._said[-1] if self._said else "the connection was closed"
        return said.replace(self._url, "the server")


def _runs(pictures: list[PicturePacket]) -> list[list[PicturePacket]]:
    """Pictures that follow each other in one format."""
    runs: list[list[PicturePacket]] = []
    for one in pictures:
        if not runs or runs[-1][-1].format != one.format:
            runs.append([])
        runs[-1].append(one)
    return runs
