"""WHIP from the other side (RFC 9725): a feed is published to somebody else's server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urljoin

import httpx
from aiortc import RTCBundlePolicy, RTCRtpTransceiver, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidStateError, OperationError
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.sdp import SessionDescription

from server.addresses.http_reader import client, sentence
from server.addresses.reach import ANSWER_TIMEOUT_S, EVERYWHERE, AddressError, Reach
from server.webrtc import h264
from server.webrtc.feed_peer import FeedPeer
from server.webrtc.h264 import H264
from server.webrtc.peer import MAX_SDP_BYTES
from stream.errors import LivedubError
from stream.frames import PictureFormat
from stream.live.feed import Feed
from stream.live.link import Link

MOST_CANDIDATES = 16
"""Addresses of a server's that are called."""

PARTING_S = 2.0
"""Time for a server to be told that there is no more."""


class WhipError(LivedubError):
    """A server cannot be published to; the message says why."""


class UnwantedPictureError(WhipError):
    """It does not take the picture as it was offered."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to publish, and as whom.

    Attributes:
        url: of ``http`` or ``https``; its user, path and query may be secrets.
        token: shown as a bearer, if there is one.
        reach: where it may be, and what its addresses may be.
        verify: whether its certificate is checked.
    """

    url: str
    token: str | None = None
    reach: Reach = EVERYWHERE
    verify: bool = True


class WhipClient(FeedPeer):
    """One connection; made by :func:`publish_to`.

    Args:
        feed: what is published.
        endpoint: where to.
    """

    def __init__(self, feed: Feed, endpoint: Endpoint) -> None:
        super().__init__(feed, bundle=RTCBundlePolicy.MAX_BUNDLE)
        self._endpoint = endpoint
        self._resource: str | None = None
        self._ways: list[H264] = []
        self._asking = client(endpoint.reach, ANSWER_TIMEOUT_S, verify=endpoint.verify)

    async def start(self, track: str, picture: PictureFormat | None, *, passed: bool) -> None:
        """Offer a sound and the picture, if there is one.

        Args:
            track: of the feed.
            picture: how it is coded.
            passed: whether it is sent as it is where WebRTC allows; else for any decoder.
        """
        self._add_sound(track)
        level_id = h264.BASELINE_ID
        if picture is not None:
            as_it_is = passed and not picture.reordered
            if as_it_is and picture.codec == "h264":
                level_id = h264.level_id_of(picture)
            vp8 = as_it_is and picture.codec == "vp8"
            self._add_picture("VP8" if vp8 else "H264", int(level_id[:2], 16))
            if not vp8:
                _offer_one_h264(self.connection.getTransceivers()[-1])
        await self.connection.setLocalDescription(await self.connection.createOffer())
        written = self.connection.localDescription.sdp
        self._ways = list(_h264_in(written, level_id))
        offer = h264.shown_to_peer(written, self._ways)
        answer = await asyncio.to_thread(self._posted, offer)
        await self._accept(await asyncio.to_thread(partial(self._allowed, answer)))

    @property
    def connected(self) -> bool:
        """Whether media can be sent."""
        return self.connection.connectionState == "connected" and not self.closed.is_set()

    async def link(self) -> Link | None:
        """What the server reports of what it gets; ``None`` before it does."""
        found = await self.connection.getStats()
        reports = [one for one in found.values() if one.type == "remote-inbound-rtp"]
        if not reports:
            return None
        rtts = [one.roundTripTime for one in reports if one.roundTripTime is not None]
        return Link(max(rtts, default=None), sum(max(0, one.packetsLost) for one in reports))

    async def released(self) -> None:
        """Take leave of the server, and stop reading the feed."""
        await super().released()
        await asyncio.to_thread(self._part)

    def _posted(self, offer: str) -> str:
        """The answer to an offer; blocks."""
        try:
            response = self._asking.post(
                self._endpoint.url,
                content=offer.encode(),
                headers=self._headers() | {"Content-Type": "application/sdp"},
            )
        except (httpx.HTTPError, httpx.InvalidURL, AddressError, OSError, ValueError) as error:
            raise WhipError(sentence(error)) from None
        if response.status_code in (401, 403):
            raise WhipError(f"the server does not take the token ({response.status_code})")
        if response.status_code in (406, 415, 422) and self._picture is not None:
            raise UnwantedPictureError(f"the server refuses the offer ({response.status_code})")
        if response.status_code != 201:
            raise WhipError(
                f"the server answers {response.status_code} {response.reason_phrase}".strip()
            )
        if location := response.headers.get("Location"):
            self._resource = urljoin(str(response.url), location)
        if len(response.content) > MAX_SDP_BYTES or not response.text.startswith("v=0"):
            raise WhipError("the server's answer is no session description (SDP)")
        return response.text

    def _allowed(self, answer: str) -> str:
        """An answer without the addresses that must not be called; blocks."""
        kept, called, refused = [], 0, 0
        for line in answer.replace("\r\n", "\n").split("\n"):
            if line.startswith("a=candidate:"):
                try:
                    # A name would be resolved by others, to who knows where: such a server calls.
                    address = str(ipaddress.ip_address(line.split()[4]))
                    if not self._endpoint.reach.everywhere:
                        self._endpoint.reach.addresses(address)
                except AddressError:
                    refused += 1
                    continue
                except (ValueError, IndexError):
                    continue
                called += 1
                if called > MOST_CANDIDATES:
                    continue
            kept.append(line)
        if refused and not called:
            raise WhipError("the server's addresses are private: allow them in serve.hosts")
        return "\r\n".join(kept)

    async def _accept(self, answer: str) -> None:
        try:
            if self._picture is not None and not _takes(answer, "video"):
                raise UnwantedPictureError("the server does not take the picture")
            if not _takes(answer, "audio"):
                raise WhipError("the server does not take the sound, which is Opus")
            shown = h264.shown_to_aiortc(answer, self._ways, self._ways)
            await self.connection.setRemoteDescription(RTCSessionDescription(shown, "answer"))
        except OperationError:
            raise UnwantedPictureError("the server agrees to no codec that was offered") from None
        except WhipError:
            raise
        except (ValueError, InternalError, InvalidStateError, AssertionError, KeyError) as error:
            raise WhipError(f"the server's answer cannot be used: {error}") from None
        self._report_by_media_time()
        self._begin()

    def _part(self) -> None:
        with contextlib.suppress(httpx.HTTPError, AddressError, OSError, ValueError):
            if self._resource is not None:
                self._asking.delete(self._resource, headers=self._headers(), timeout=PARTING_S)
        self._asking.close()

    def _headers(self) -> dict[str, str]:
        token = self._endpoint.token
        return {} if token is None else {"Authorization": f"Bearer {token}"}


async def publish_to(
    endpoint: Endpoint, feed: Feed, track: str, picture: PictureFormat | None, *, passed: bool
) -> WhipClient:
    """Publish a feed; returns once the server has answered.

    Args:
        endpoint: where to.
        feed: what is published.
        track: the sound.
        picture: how it is coded; ``None`` for sound alone.
        passed: see ``WhipClient.start``.

    Raises:
        WhipError: if the server cannot be published to.
    """
    made = WhipClient(feed, endpoint)
    try:
        await made.start(track, picture, passed=passed)
    except BaseException:
        await made.aclose()
        raise
    return made


def _offer_one_h264(transceiver: RTCRtpTransceiver) -> None:
    """Aiortc offers two, which would be said to be the same."""
    known = RTCRtpSender.getCapabilities("video").codecs
    one = [c for c in known if c.parameters.get("profile-level-id") == h264.BASELINE_ID]
    transceiver.setCodecPreferences([*one, *(c for c in known if c.name.upper() == "RTX")])


def _h264_in(offer: str, level_id: str) -> Iterator[H264]:
    """How H.264 is offered by us, if it is."""
    for media in SessionDescription.parse(offer).media:
        for way in h264.offered(media.rtp.codecs):
            yield H264(way.payload_type, level_id, 1)


def _takes(answer: str, kind: str) -> bool:
    """Whether an answer has a section of a kind that is not switched off."""
    found = [media for media in SessionDescription.parse(answer).media if media.kind == kind]
    return any(media.port and media.rtp.codecs for media in found)
