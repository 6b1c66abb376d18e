"""A session pushed to another server: picture and tracks by RTMP, or as MPEG-TS by UDP or SRT."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from server.addresses.pinned import pinned
from server.addresses.reach import EVERYWHERE, AddressError, Reach
from server.addresses.relay import relay_to
from server.outputs.push_link import LinkError, PushLink
from server.outputs.push_process import hello, picture_record, sound_record
from server.outputs.tracks import sound_tracks
from stream.flow.worker import Worker
from stream.frames import AudioChunk, PictureFormat, PicturePacket
from stream.live.feed import Feed
from stream.live.output import OutputState, OutputStatus
from stream.live.tap import Batch, FeedTap
from stream.media.aac import AacEncoder, AacPacket
from stream.timeline import TICK_RATE

CONTAINERS = {"rtmp": "flv", "rtmps": "flv", "udp": "mpegts", "srt": "mpegts"}
"""Container by the URL's scheme."""

CODECS = {"flv": ("h264", "hevc", "av1", "vp9"), "mpegts": ("h264", "hevc")}
"""Video codecs that a container carries."""

FOURCC = {"hevc": "hvc1", "av1": "av01", "vp9": "vp09"}
"""What enhanced RTMP calls those that RTMP had no number for; a server is asked for them."""

PATIENCE = 2 * TICK_RATE
"""Ticks without a picture after which a stream may start with sound alone."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""Wait before the first attempt to reconnect, doubled by every one that fails, up to the latter."""

_Sound = tuple[int, AacPacket]
"""The number of a track, and a packet of it."""

_log = logging.getLogger(__name__)


class Push:
    """Pushes until the feed ends, reconnecting whenever the server goes away.

    Create it in the feed's event loop. A stream starts, and restarts, with a keyframe. What a slow
    server does not take within 10 s is dropped, up to the next keyframe.

    Args:
        feed: the session.
        tracks: its sounds; players begin with the first.
        url: ``rtmp://``, ``rtmps://``, ``udp://`` or ``srt://``. User, path and
            query may be secrets and are never shown.
        reach: where it may go; the name is resolved and checked for every connection.
        verify: whether the server's certificate is checked.

    Raises:
        ValueError: for another URL.
        KeyError: for a track that the feed does not have.
    """

    def __init__(
        self,
        feed: Feed,
        tracks: Sequence[str],
        url: str,
        reach: Reach = EVERYWHERE,
        *,
        verify: bool = True,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in CONTAINERS or not parts.hostname:
            raise ValueError(
                "a push goes to rtmp://host/application/name, rtmps://, udp://host:port or srt://"
            )
        self._container = CONTAINERS[parts.scheme]
        # Datagrams of seven whole packets pass through any network.
        sized = parts.scheme != "udp" or "pkt_size" in parts.query
        self._url = url if sized else f"{url}{'&' if parts.query else '?'}pkt_size=1316"
        self._reach, self._verify = reach, verify
        self._target = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._pace = tracks[0]
        self._comment = feed.comment(tracks)
        self._sounds = sound_tracks(feed, tracks)
        self._encoders = {name: AacEncoder(feed.channels) for name in tracks}
        self._tap = FeedTap(feed, tuple(tracks))
        self._worker = Worker("push")
        self._link: PushLink | None = None
        self._coded: PictureFormat | None = None
        self._seen: int | None = None  # media time of the newest picture, or where sound began
        self._refused: set[str] = set()
        self._pause_s = FIRST_PAUSE_S
        self._retry_at = 0.0
        self._done = asyncio.Event()
        self._running = False
        self._reconnects = 0
        self._position: int | None = None  # media time up to which sound was dealt with
        self._missed = 0
        self._failure: str | None = None
        self._broke_at = 0.0

    def status(self) -> OutputStatus:
        """See ``Output``; it misses what the server did not take or was not there for."""
        state: OutputState = "running" if self._failure is None else "retrying"
        return OutputStatus(
            "push",
            self._target,
            "ended" if self._done.is_set() else state,
            self._failure,
            self._reconnects,
            self._missed,
            self._tap.missed_pictures,
            self._link.link if self._link is not None else None,
        )

    @property
    def connected(self) -> bool:
        """Whether a server has accepted the stream."""
        return self._link is not None and self._link.established

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
                if self.connected:
                    _log.info("the push to %s has ended", self._target)
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
        blocks = batch.sound[self._pace]
        if blocks and self._seen is None:
            self._seen = blocks[0].start
        if blocks and self._position is not None:
            self._missed += blocks[0].start - self._position
        packets = await self._worker.run(lambda: self._encoded(batch.sound))
        runs = _runs(self._carried(batch.pictures))
        for run in runs:
            self._seen = run[-1].time
            if run[0].format != self._coded and self._link is not None and run[0].key:
                # A running stream cannot change its codec parameters, so it is restarted.
                await self._link.finish()
                self._link = None
                self._retry_at = 0.0
            # Together, as a muxer waits for the other kind only so long.
            await self._send(run, packets if run is runs[-1] else [])
        if not runs:
            await self._send([], packets)
        if blocks:
            self._position = blocks[-1].end
            if self._failure is not None and self._link is None:
                self._missed += self._position - blocks[0].start

    def _encoded(self, sound: Mapping[str, list[AudioChunk]]) -> list[_Sound]:
        return [
            (track, packet)
            for track, (name, encoder) in enumerate(self._encoders.items())
            for block in sound[name]
            for packet in encoder.encode(block)
        ]

    def _carried(self, pictures: list[PicturePacket]) -> list[PicturePacket]:
        carried = CODECS[self._container]
        for codec in {one.format.codec for one in pictures} - {*carried} - self._refused:
            self._refused.add(codec)
            _log.warning("the push to %s has no picture: it is %s", self._target, codec)
        return [one for one in pictures if one.format.codec in carried]

    async def _send(self, pictures: list[PicturePacket], packets: list[_Sound]) -> None:
        if self._link is None and not await self._open(pictures, packets):
            return
        link = self._link
        assert link is not None
        records: list[tuple[int, bytes]] = []
        if self._coded is not None:
            records += [(one.time, picture_record(one)) for one in pictures]
        records += [
            (one.time, sound_record(one, track)) for track, one in packets if one.time >= link.zero
        ]
        records.sort(key=lambda record: record[0])
        try:
            await link.write(b"".join(data for _, data in records))
        except LinkError as error:
            self._broken(str(error), link)
            await link.kill()

    async def _open(self, pictures: list[PicturePacket], packets: list[_Sound]) -> bool:
        """Open a connection if it is time to and there is something to start with."""
        loop = asyncio.get_running_loop()
        key = next((at for at, one in enumerate(pictures) if one.key), None)
        if loop.time() < self._retry_at:
            return False
        if key is not None:
            del pictures[:key]
            self._coded, zero = pictures[0].format, pictures[0].time
        elif packets and self._seen is not None and packets[0][1].time - self._seen >= PATIENCE:
            self._coded, zero = None, packets[0][1].time
        else:
            return False
        self._link = link = PushLink(self._url, zero, loop.time(), self._established)
        try:
            known = await self._worker.run(
                lambda: pinned(self._url, self._reach, verify=self._verify)
            )
        except AddressError as error:
            self._broken(str(error), link)
            return False
        url, options = known.url, dict(known.options)
        if self._container == "flv" and self._coded is not None and self._coded.codec in FOURCC:
            options["rtmp_enhanced_codecs"] = FOURCC[self._coded.codec]
        if known.relayed:
            # Not by that process: while FFmpeg writes there, no other thread of it runs.
            link.relay = relay_to(url, self._reach, verify=self._verify)
            url = link.relay.address(url)
        first = hello(
            url,
            self._container,
            self._coded,
            list(self._sounds.values()),
            zero,
            protocol=options,
            comment=self._comment,
        )
        await link.open(first)
        return True

    def _established(self, link: PushLink) -> None:
        """A server has accepted the stream: only now is an earlier failure over."""
        if link is not self._link:
            return
        if self._failure is None:
            _log.info("the push to %s is connected", self._target)
            return
        self._reconnects += 1
        self._failure = None
        gap_s = asyncio.get_running_loop().time() - self._broke_at
        _log.info("the push to %s is connected again after %.0f s", self._target, gap_s)

    def _broken(self, reason: str, link: PushLink) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - link.opened > LONGEST_PAUSE_S:
            self._pause_s = FIRST_PAUSE_S
        self._link = None
        self._retry_at = loop.time() + self._pause_s
        if not link.established and self._position is not None:
            self._missed += max(0, self._position - link.zero)
        failure = f"the push to {self._target} broke off: {reason}"
        if self._failure is None:
            self._broke_at = loop.time()
        # A server that stays away is worth one line, not one for every attempt.
        level = logging.DEBUG if failure == self._failure else logging.WARNING
        _log.log(level, "%s; trying again in %.0f s", failure, self._pause_s)
        self._failure = failure
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def _runs(pictures: list[PicturePacket]) -> list[list[PicturePacket]]:
    """Pictures that follow each other in one format."""
    runs: list[list[PicturePacket]] = []
    for one in pictures:
        if not runs or runs[-1][-1].format != one.format:
            runs.append([])
        runs[-1].append(one)
    return runs
