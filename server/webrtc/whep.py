"""WHEP: a viewer of a feed by WebRTC (draft-ietf-wish-whep)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Sequence

from aiortc import RTCIceServer

from server.webrtc.feed_peer import FeedPeer
from server.webrtc.h264 import BASELINE, H264, best
from server.webrtc.peer import Offer, UnsupportedOfferError
from stream.live.feed import Feed
from stream.timeline import TICK_RATE

MOST_SOUNDS = 2
"""A dub's voice and the original, for a viewer who mixes them."""


class WhepPeer(FeedPeer):
    """A viewer; made by :func:`watch`."""

    def __init__(self, feed: Feed, ice_servers: Collection[RTCIceServer]) -> None:
        super().__init__(feed, ice_servers)
        self._counted = False

    @property
    def sounds(self) -> tuple[str, ...]:
        """Names of the feed's sounds that are sent, in the order of the offer's sections."""
        return tuple(sound.name for sound in self._sounds if sound.name is not None)

    def select(self, sounds: Sequence[str]) -> None:
        """Switch to other sounds of the feed, from their next packets; unused sections fall silent.

        Raises:
            KeyError: if there is no such sound; nothing is changed then.
            UnsupportedOfferError: if they are more than the offer has audio sections.
        """
        for name in sounds:
            self._feed.sounds[name]
        if len(sounds) > len(self._sounds):
            raise UnsupportedOfferError(
                f"{len(sounds)} tracks need as many audio sections; there is {len(self._sounds)}"
            )
        for track, name in itertools.zip_longest(self._sounds, sounds):
            track.select(name)

    async def released(self) -> None:
        """Stop reading the feed."""
        if self._counted:
            self._counted = False
            self._feed.viewers -= 1
        await super().released()

    async def start(self, offer_sdp: str, sounds: Sequence[str]) -> None:
        """Answer the offer with what the feed has."""
        offer = await self.read(offer_sdp, MOST_SOUNDS)
        for kind, direction in offer.direction.items():
            if direction not in ("recvonly", "sendrecv"):
                raise UnsupportedOfferError(
                    f"a viewer's {kind} section must be recvonly, not {direction}"
                )
        if "audio" in offer.codecs:
            if "OPUS" not in offer.codecs["audio"]:
                raise UnsupportedOfferError("the sound is Opus, which the offer does not have")
            for _ in range(offer.sounds):
                self._add_sound(None)
            self.select(sounds)
        accepted: list[H264] = []
        if "video" in offer.codecs and _has_picture(self._feed):
            way = _way(self._feed, offer)
            if way is not None:
                accepted.append(way)
            codec, profile = ("VP8", BASELINE) if way is None else ("H264", way.profile)
            self._add_picture(codec, profile)
        if not self.connection.getSenders():
            raise UnsupportedOfferError("the offer is for a picture alone, and there is none")
        await self.negotiate(offer, accepted)
        self._report_by_media_time()
        self._feed.viewers += 1
        self._counted = True


async def watch(
    feed: Feed, sounds: Sequence[str], offer_sdp: str, *, ice_servers: Collection[RTCIceServer] = ()
) -> WhepPeer:
    """Show a feed to the peer who made the offer.

    Args:
        feed: what is shown.
        sounds: those of the feed to begin with, at most one for each audio section of the offer.
        offer_sdp: with or without candidates; the answer has all of ours.
        ice_servers: STUN or TURN servers, if the viewer is not to be reached directly.

    Raises:
        KeyError: if the feed has no such sound.
        OfferError: if the offer is malformed.
        UnsupportedOfferError: if it asks for anything but to watch, or cannot play what
            there is.
    """
    peer = WhepPeer(feed, ice_servers)
    try:
        await peer.start(offer_sdp, sounds)
    except BaseException:
        await peer.aclose()
        raise
    return peer


def _has_picture(feed: Feed) -> bool:
    """Whether there is a picture, or the feed is too young to tell."""
    now = asyncio.get_running_loop().time()
    return feed.picture_format is not None or now < feed.due(TICK_RATE)


def _way(feed: Feed, offer: Offer) -> H264 | None:
    """How the viewer gets the picture: as it is if possible, else as H.264; ``None`` for VP8.

    Raises:
        UnsupportedOfferError: if it takes neither.
    """
    format_ = feed.picture_format
    vp8 = "VP8" in offer.codecs["video"]
    if vp8 and format_ is not None and format_.codec == "vp8" and not format_.reordered:
        return None
    way = best(offer.h264, format_)
    if way is None and not vp8:
        raise UnsupportedOfferError(
            "the picture is H.264 or VP8, and the offer has neither: offer one, or sound alone"
        )
    return way
