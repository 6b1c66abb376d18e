"""The tracks that WebRTC senders read: a feed's sound and picture, one coded packet at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from server.webrtc.h264 import HIGH, covers, profile_of
from server.webrtc.opus_listener import OpusListener
from server.webrtc.picture_transcode import Codec, from_key, transcoded
from stream.frames import PictureFormat, PicturePacket
from stream.live.feed import ORIGINAL, Feed
from stream.timeline import TICK, TICK_RATE, rescale

PICTURE_RATE = 90_000
"""RTP's clock for pictures, Hz."""

MAX_BEHIND = 50
"""Packets of each kind that a viewer may fall behind before it loses some."""

_PICTURE_UNIT = Fraction(1, PICTURE_RATE)


class FeedTrack(MediaStreamTrack):
    """What a sender reads, one coded packet at a time."""

    rate = TICK_RATE
    """Of the RTP clock, Hz."""

    def __init__(self) -> None:
        super().__init__()
        self._time = 0

    def sent(self) -> int:
        """Media time of the newest packet given out, ticks."""
        return self._time

    async def aclose(self) -> None:
        """Unsubscribe from the feed."""


class SoundTrack(FeedTrack):
    """One of the feed's sounds in Opus, which can be switched while it runs; or nothing.

    Args:
        feed: the feed to subscribe to.
        name: of the sound to begin with; ``None`` for nothing.
        on_end: called when the feed has ended.

    Raises:
        KeyError: if there is no such sound.
    """

    kind = "audio"

    def __init__(self, feed: Feed, name: str | None, on_end: Callable[[], None]) -> None:
        super().__init__()
        self._listener = OpusListener(feed, name or ORIGINAL, capacity=MAX_BEHIND)
        self._wanted = asyncio.Event()
        self._on_end = on_end
        self.select(name)

    @property
    def name(self) -> str | None:
        """The sound that is selected; ``None`` where nothing is sent."""
        return self._listener.name if self._wanted.is_set() else None

    def select(self, name: str | None) -> None:
        """Switch to another sound from its next packet, or to nothing.

        Raises:
            KeyError: if there is no such sound.
        """
        if name is None:
            self._wanted.clear()
        else:
            self._listener.select(name)
            self._wanted.set()

    async def recv(self) -> Any:
        """The next packet of the sound that is selected; waits while none is."""
        if not self._wanted.is_set():
            await self._listener.aclose()
            await self._wanted.wait()
        packet = await self._listener.next()
        if packet is None:
            self._on_end()
            raise MediaStreamError("the feed has ended")
        self._time = packet.time
        coded = av.Packet(packet.data)
        coded.pts = coded.dts = packet.time
        coded.time_base = TICK
        return coded

    async def aclose(self) -> None:
        """Unsubscribe from the feed."""
        await self._listener.aclose()


class PictureTrack(FeedTrack):
    """The feed's picture as the viewer can play it, from a keyframe on.

    Args:
        feed: the feed to subscribe to.
        codec: ``H264`` or ``VP8``, as agreed with the viewer.
        on_end: called when there is no more.
        profile: of H.264, as agreed; see `server.webrtc.h264`.
    """

    kind = "video"
    rate = PICTURE_RATE

    def __init__(
        self, feed: Feed, codec: str, on_end: Callable[[], None], *, profile: int = HIGH
    ) -> None:
        super().__init__()
        self._on_end = on_end
        self._pictures = playable(feed, codec, profile)

    async def recv(self) -> Any:
        """The next picture."""
        picture = await anext(self._pictures, None)
        if picture is None:
            self._on_end()
            raise MediaStreamError("the feed has ended")
        self._time = picture.shown
        coded = av.Packet(picture.data)
        coded.pts = coded.dts = rescale(picture.shown, TICK, _PICTURE_UNIT)
        coded.time_base = _PICTURE_UNIT
        coded.is_keyframe = picture.key
        return coded

    async def aclose(self) -> None:
        """Unsubscribe from the feed."""
        await self._pictures.aclose()


async def playable(feed: Feed, codec: str, profile: int) -> AsyncGenerator[PicturePacket, None]:
    """Pictures that a browser can play: untouched as long as possible, then transcoded.

    Args:
        feed: the feed to subscribe to.
        codec: ``H264`` or ``VP8``.
        profile: of H.264 that it decodes.
    """

    def untouched(format_: PictureFormat) -> bool:
        if format_.reordered or format_.codec.upper() != codec:
            return False
        return codec != "H264" or covers(profile, profile_of(format_))

    pictures = feed.picture.subscribe(MAX_BEHIND)
    format_ = None
    try:
        async with contextlib.aclosing(from_key(pictures)) as packets:
            async for packet in packets:
                if packet.format != format_:
                    format_ = packet.format
                    if not untouched(format_):
                        break
                yield packet
            else:
                return
    finally:
        pictures.close()
    made: Codec = "h264" if codec == "H264" else "vp8"
    async with (
        transcoded(feed, made, capacity=MAX_BEHIND) as recoded,
        contextlib.aclosing(from_key(recoded)) as packets,
    ):
        async for packet in packets:
            yield packet
