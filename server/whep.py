"""WHEP: a viewer of a feed by WebRTC (draft-ietf-wish-whep)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Collection
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from server.rtp_reports import ReportingTransport, ntp_now, ntp_ticks
from server.webrtc_peer import Peer, UnsupportedOfferError, prefer, read_offer
from stream.broadcast import Subscription
from stream.feed import Feed, PicturePacket
from stream.h264 import AnnexB
from stream.opus import OpusPacket, opus_packets
from stream.picture_transcode import from_key, transcoded
from stream.timeline import TICK, TICK_RATE, rescale, ticks

PICTURE_RATE = 90_000
"""RTP's clock for pictures, Hz."""

BEHIND = 50
"""Packets of each kind that a viewer may be behind before it loses some."""

_PICTURE_UNIT = Fraction(1, PICTURE_RATE)

_log = logging.getLogger(__name__)


class WhepPeer(Peer):
    """A viewer; made by :func:`watch`."""

    def __init__(self, feed: Feed, track: str, ice_servers: Collection[str]) -> None:
        super().__init__(ice_servers)
        self._feed = feed
        self._sound = SoundTrack(feed, track, self.end)
        self._picture: PictureTrack | None = None

    @property
    def track(self) -> str:
        """Name of the sound track that is heard."""
        return self._sound.name

    def select(self, track: str) -> None:
        """Go on with another sound track of the feed, from its next packet.

        Raises:
            KeyError: if there is no such track.
        """
        self._sound.select(track)

    async def released(self) -> None:
        """Stop reading the feed."""
        await self._sound.aclose()
        if self._picture is not None:
            await self._picture.aclose()

    async def start(self, offer_sdp: str) -> None:
        """Answer the offer with what the feed has."""
        offer = read_offer(offer_sdp)
        for kind, direction in offer.direction.items():
            if direction not in ("recvonly", "sendrecv"):
                raise UnsupportedOfferError(
                    f"a viewer's {kind} section must be recvonly, not {direction}"
                )
        if "audio" in offer.codecs:
            if "OPUS" not in offer.codecs["audio"]:
                raise UnsupportedOfferError("the sound is Opus, which the offer does not have")
            self._add(self._sound, ("OPUS",), TICK_RATE)
        if "video" in offer.codecs and _has_picture(self._feed):
            codec = _codec(self._feed)
            if codec not in offer.codecs["video"]:
                raise UnsupportedOfferError(
                    f"the picture is {codec}, which the offer does not have: "
                    "offer it, or sound alone"
                )
            self._picture = PictureTrack(self._feed, codec)
            self._add(self._picture, (codec,), PICTURE_RATE)
        await self.negotiate(offer)
        self._report_by_media_time()

    def _add(self, track: FeedTrack, codecs: tuple[str, ...], rate: int) -> None:
        prefer(self.connection.addTransceiver(track, direction="sendonly"), codecs)
        track.rate = rate

    def _report_by_media_time(self) -> None:
        now = asyncio.get_running_loop().time()
        zero = ntp_now() + ntp_ticks(ticks(self._feed.due(0) - now))
        for sender in self.connection.getSenders():
            track = sender.track
            if isinstance(track, FeedTrack):
                sent = track.sent
                transport: Any = ReportingTransport(
                    sender.transport, sender._ssrc, track.rate, sent, zero
                )
                sender.setTransport(transport)


async def watch(
    feed: Feed, track: str, offer_sdp: str, *, ice_servers: Collection[str] = ()
) -> WhepPeer:
    """Show a feed to the peer who made the offer.

    Args:
        feed: what is shown.
        track: the sound track to begin with.
        offer_sdp: with or without candidates; the answer has all of ours.
        ice_servers: URLs of STUN or TURN servers, if the viewer is not to be reached directly.

    Raises:
        KeyError: if the feed has no such track.
        OfferError: if the offer is malformed.
        UnsupportedOfferError: if it wants something else than to watch, or cannot play what
            there is.
    """
    peer = WhepPeer(feed, track, ice_servers)
    try:
        await peer.start(offer_sdp)
    except BaseException:
        await peer.aclose()
        raise
    return peer


class FeedTrack(MediaStreamTrack):
    """What a sender reads from, one coded packet after another."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = TICK_RATE
        self._time = -TICK_RATE  # before anything

    def sent(self) -> int:
        """Media time of the newest packet given out, ticks."""
        return self._time

    async def aclose(self) -> None:
        """Let go of the feed."""


class SoundTrack(FeedTrack):
    """A track of the feed in Opus, exchangeable while it runs.

    Args:
        feed: whose sound.
        name: of the track to begin with.
        on_end: called once the feed has ended.

    Raises:
        KeyError: if there is no such track.
    """

    kind = "audio"

    def __init__(self, feed: Feed, name: str, on_end: Any) -> None:
        super().__init__()
        feed.tracks[name]  # an unknown name is an error now, not when it plays
        self.name = name
        self._feed = feed
        self._on_end = on_end
        self._reader: Subscription[OpusPacket] | None = None
        self._reading = ""
        self._stack = contextlib.AsyncExitStack()

    def select(self, name: str) -> None:
        """Change to another track.

        Raises:
            KeyError: if there is no such track.
        """
        self._feed.tracks[name]
        self.name = name
        if self._reader is not None and name != self._reading:
            self._reader.close()  # wakes recv, if it waits

    async def recv(self) -> Any:
        """The next packet of the track that is selected."""
        while True:
            if self._reader is None or self._reading != self.name:
                await self._open()
            assert self._reader is not None
            packet = await anext(self._reader, None)
            if self._reading != self.name:
                continue
            if packet is None:
                self._on_end()
                raise MediaStreamError("the feed has ended")
            if packet.time > self._time:
                break
        self._time = packet.time
        coded = av.Packet(packet.data)
        coded.pts = coded.dts = packet.time
        coded.time_base = TICK
        return coded

    async def aclose(self) -> None:
        """Stop listening."""
        await self._stack.aclose()

    async def _open(self) -> None:
        name = self.name
        # The old track goes on until the new one is there: its encoder may be shared again.
        old, self._stack = self._stack, contextlib.AsyncExitStack()
        packets = opus_packets(self._feed, name, capacity=BEHIND)
        self._reader = await self._stack.enter_async_context(packets)
        self._reading = name
        await old.aclose()


class PictureTrack(FeedTrack):
    """The feed's picture as the viewer can play it, from a key picture on.

    Args:
        feed: whose picture.
        codec: ``H264`` or ``VP8``, as agreed with the viewer.
    """

    kind = "video"

    def __init__(self, feed: Feed, codec: str) -> None:
        super().__init__()
        self._pictures = playable(feed, codec)

    async def recv(self) -> Any:
        """The next picture."""
        picture = await anext(self._pictures, None)
        if picture is None:
            raise MediaStreamError("the feed has ended")
        self._time = picture.shown
        coded = av.Packet(picture.data)
        coded.pts = coded.dts = rescale(picture.shown, TICK, _PICTURE_UNIT)
        coded.time_base = _PICTURE_UNIT
        coded.is_keyframe = picture.key
        return coded

    async def aclose(self) -> None:
        """Stop looking."""
        await self._pictures.aclose()


async def playable(feed: Feed, codec: str) -> AsyncGenerator[PicturePacket, None]:
    """Pictures that a browser can play: untouched as long as they are, then recoded.

    Args:
        feed: whose picture.
        codec: ``H264`` (in Annex B form, parameter sets before every key picture) or ``VP8``.
    """
    pictures = feed.picture.subscribe(BEHIND)
    converter: AnnexB | None = None
    format_ = None
    try:
        async with contextlib.aclosing(from_key(pictures)) as packets:
            async for packet in packets:
                try:
                    if packet.format != format_:
                        format_ = packet.format
                        if format_.reordered or format_.codec.upper() != codec:
                            break
                        converter = AnnexB(format_.extradata) if codec == "H264" else None
                    if converter is not None:
                        data = converter.convert(packet.data, key=packet.key)
                        packet = replace(packet, data=data)
                except ValueError as error:
                    _log.warning("a picture is left out: %s", error)
                    continue
                yield packet
            else:
                return
    finally:
        pictures.close()
    if codec != "H264":
        return  # what was agreed on can no longer be had; the sound goes on
    async with (
        transcoded(feed, capacity=BEHIND) as recoded,
        contextlib.aclosing(from_key(recoded)) as packets,
    ):
        async for packet in packets:
            yield packet


def _has_picture(feed: Feed) -> bool:
    """Whether there is a picture, or the feed is too young to tell."""
    now = asyncio.get_running_loop().time()
    return feed.picture_format is not None or now < feed.due(TICK_RATE)


def _codec(feed: Feed) -> str:
    format_ = feed.picture_format
    untouched = format_ is not None and format_.codec == "vp8" and not format_.reordered
    return "VP8" if untouched else "H264"
