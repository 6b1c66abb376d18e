"""A session pushed to another server: picture and one track by RTMP, or MPEG-TS over UDP."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

from server.outputs.push_link import LinkError, PushLink
from server.outputs.push_process import hello, picture_record, sound_record
from stream.flow.worker import Worker
from stream.frames import PictureFormat, PicturePacket
from stream.live.feed import Feed
from stream.live.tap import Batch, FeedTap
from stream.media.aac import AacEncoder, AacPacket
from stream.media.muxer import SoundTrack
from stream.timeline import TICK_RATE

CONTAINERS = {"rtmp": "flv", "rtmps": "flv", "udp": "mpegts"}
"""Container by the URL's scheme."""

CODECS = {"h264", "hevc"}
"""Pictures that both containers carry and servers understand."""

PATIENCE = 2 * TICK_RATE
"""Ticks without a picture after which a stream may begin with sound alone."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before the first attempt to reconnect; every one that fails doubles them."""

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
        self._link: PushLink | None = None
        self._coded: PictureFormat | None = None
        self._seen: int | None = None  # media time of the newest picture, or where sound began
        self._refused: set[str] = set()
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
        if self._seen is None and blocks:
            self._seen = blocks[0].start
        packets = await self._worker.run(
            lambda: [packet for block in blocks for packet in self._encoder.encode(block)]
        )
        for run in _runs(self._carried(batch.pictures)):
            self._seen = run[-1].time
            if run[0].format != self._coded and self._link is not None and run[0].key:
                # A running stream cannot change what its pictures are: it begins anew.
                await self._link.finish()
                self._link = None
                self._retry_at = 0.0
            await self._send(run, [])
        await self._send([], packets)

    def _carried(self, pictures: list[PicturePacket]) -> list[PicturePacket]:
        for codec in {one.format.codec for one in pictures} - CODECS - self._refused:
            self._refused.add(codec)
            _log.warning("the push to %s goes without the picture: it is %s", self.place, codec)
        return [one for one in pictures if one.format.codec in CODECS]

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
        except LinkError as error:
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
        elif packets and self._seen is not None and packets[0].time - self._seen >= PATIENCE:
            self._coded, zero = None, packets[0].time
        else:
            return False
        if self.failure is not None:
            self.reconnects += 1
        self._link = PushLink(self._url, zero, loop.time())
        await self._link.open(hello(self._url, self._container, self._coded, self._sound, zero))
        self.failure = None
        return True

    def _lost(self, reason: str, link: PushLink) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - link.opened > LONGEST_PAUSE:
            self._pause = FIRST_PAUSE
        self._link = None
        self._retry_at = loop.time() + self._pause
        self.failure = f"the push to {self.place} broke off: {reason}"
        _log.warning("%s; trying again in %.0f s", self.failure, self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


def _runs(pictures: list[PicturePacket]) -> list[list[PicturePacket]]:
    """Pictures that follow each other in one format."""
    runs: list[list[PicturePacket]] = []
    for one in pictures:
        if not runs or runs[-1][-1].format != one.format:
            runs.append([])
        runs[-1].append(one)
    return runs
