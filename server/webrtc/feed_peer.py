"""A WebRTC peer that a feed is sent to, whoever made the offer."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Collection

from aiortc import RTCBundlePolicy, RTCIceServer

from server.webrtc.aiortc_private import own_ssrc, set_stream
from server.webrtc.peer import Peer, prefer
from server.webrtc.rtp_reports import ReportingTransport, ntp_now, ntp_ticks
from server.webrtc.whep_tracks import FeedTrack, PictureTrack, SoundTrack
from stream.live.feed import Feed
from stream.timeline import ticks


class FeedPeer(Peer):
    """Sends sounds of a feed and its picture.

    Args:
        feed: what is sent.
        ice_servers: STUN or TURN servers.
        bundle: see ``Peer``.
    """

    def __init__(
        self,
        feed: Feed,
        ice_servers: Collection[RTCIceServer] = (),
        bundle: RTCBundlePolicy = RTCBundlePolicy.MAX_COMPAT,
    ) -> None:
        super().__init__(ice_servers, bundle)
        self._feed = feed
        self._sounds: list[SoundTrack] = []
        self._picture: PictureTrack | None = None

    async def released(self) -> None:
        """Stop reading the feed."""
        for sound in self._sounds:
            await sound.aclose()
        if self._picture is not None:
            await self._picture.aclose()

    def _add_sound(self, name: str | None) -> None:
        self._sounds.append(SoundTrack(self._feed, name, self.end))
        self._add(self._sounds[-1], "OPUS")

    def _add_picture(self, codec: str, profile: int) -> None:
        self._picture = PictureTrack(self._feed, codec, self.end, profile=profile)
        self._add(self._picture, codec)

    def _add(self, track: FeedTrack, codec: str) -> None:
        transceiver = self.connection.addTransceiver(track, direction="sendonly")
        prefer(transceiver, [codec])
        if track in self._sounds[1:]:
            # Browsers keep one sound of a stream together with its picture, and not always the
            # first: any other is a stream of its own.
            set_stream(transceiver.sender, str(uuid.uuid4()))

    def _report_by_media_time(self) -> None:
        now = asyncio.get_running_loop().time()
        zero = ntp_now() + ntp_ticks(ticks(self._feed.due(0) - now))
        origin = secrets.randbits(32)
        for sender in self.connection.getSenders():
            track = sender.track
            if isinstance(track, FeedTrack):
                ssrc, rate, sent = own_ssrc(sender), track.rate, track.sent
                reporting = ReportingTransport(sender.transport, ssrc, rate, sent, zero, origin)
                reporting.install(sender)
