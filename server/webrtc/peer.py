"""One WebRTC peer: its offer checked and answered, and closed without leaving anything behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidStateError, OperationError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.sdp import SessionDescription

from server.problems import Problem
from server.webrtc import h264, sections
from server.webrtc.h264 import H264
from server.webrtc.sections import Declined

MAX_SDP_BYTES = 64 * 1024
"""Size of the longest description that is accepted."""

MAX_SDP_LINES = 2000
"""Several times what browsers write; what parsing costs goes by lines."""

MAX_CANDIDATES = 4
"""Addresses of the peer's that are called in each section, where any are."""

SILENCE_S = 15.0
"""Seconds without a single packet after which a peer is considered dead."""

CONNECT_S = 10.0
"""Seconds that a peer has from our answer to the end of its DTLS handshake."""

CHECK_INTERVAL_S = 2.5
"""Seconds between checks for new packets."""

CLOSE_TIMEOUT_S = 5.0
"""Seconds that closing a connection may take."""


_log = logging.getLogger(__name__)


class OfferError(Problem):
    """The offer is not a description that can be answered."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


class UnsupportedOfferError(Problem):
    """The offer is well-formed, but nothing here can serve it."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, detail)


@dataclass(frozen=True, slots=True)
class Offer:
    """A parsed offer.

    Attributes:
        sdp: what is given to the connection.
        declined: sections that it has no part in.
        codecs: of each kind offered (``audio``, ``video``), upper-case names that all sections
            of the kind have.
        direction: of each kind, as seen by the one who offers.
        sounds: how many audio sections there are.
        h264: the ways in which H.264 is offered.
    """

    sdp: str
    codecs: dict[str, frozenset[str]] = field(default_factory=dict)
    direction: dict[str, str] = field(default_factory=dict)
    sounds: int = 0
    h264: tuple[H264, ...] = ()
    declined: tuple[Declined, ...] = ()


def read_offer(text: str, *, most_sounds: int = 1, reach_out: bool = False) -> Offer:
    """Check an offer before anything is set up for it; takes up to 20 ms.

    A peer that is to be reached directly shows by its own checks where it is (RFC 8445, section
    7.3.1.3), so that no address that it names need be called: it could be anybody's.

    Args:
        text: the description.
        most_sounds: audio sections that there may be.
        reach_out: whether to call a few of the addresses that it names all the same, as is
            necessary from behind a NAT or a TURN server, where nothing comes in that was not
            called.

    Raises:
        OfferError: if it is malformed or too long.
        UnsupportedOfferError: if it is for more than so many sounds and one picture.
    """
    if len(text) > MAX_SDP_BYTES:
        raise OfferError("the offer is longer than 64 KiB")
    lines = text.splitlines()
    if not lines or lines[0].strip() != "v=0":
        raise OfferError("the offer is not a session description (SDP)")
    if len(lines) > MAX_SDP_LINES:
        raise OfferError(f"the offer has more than {MAX_SDP_LINES} lines")
    kept = list(_called(lines, MAX_CANDIDATES if reach_out else 0))
    sdp, declined = sections.taken_apart("\r\n".join(kept) + "\r\n")
    try:
        parsed = SessionDescription.parse(sdp)
        _check_sections(parsed, {"audio": most_sounds, "video": 1})
        _check_bundle(parsed)
        offer = _offer(sdp, parsed)
    except (OfferError, UnsupportedOfferError):
        raise
    except Exception as error:  # whatever makes the parser fail on untrusted text
        raise OfferError("the offer is not a session description (SDP)") from error
    if not offer.codecs:
        raise UnsupportedOfferError("the offer has neither a sound nor a picture section")
    return replace(offer, declined=declined)


def _called(lines: Sequence[str], most: int) -> Iterator[str]:
    """An offer with ``most`` candidates in each section.

    Hidden (mDNS) addresses cannot be looked up across networks. Without an end of candidates the
    connection waits for the peer's own checks.
    """
    left = most
    for line in lines:
        if line.startswith("m="):
            left = most
        if line.startswith("a=end-of-candidates"):
            continue
        if line.startswith("a=candidate:"):
            if ".local " in line or not left:
                continue
            left -= 1
        yield line


def _check_sections(parsed: SessionDescription, most: Mapping[str, int]) -> None:
    """Each section must be complete, and there may be ``most`` of its kind."""
    seen = dict.fromkeys(most, 0)
    for media in parsed.media:
        seen[media.kind] += 1
        if seen[media.kind] > most[media.kind]:
            number = "two" if most[media.kind] > 1 else "one"
            raise UnsupportedOfferError(f"the offer has more {media.kind} sections than {number}")
        if not media.rtp.muxId:
            raise OfferError(f"the {media.kind} section of the offer has no a=mid line")
        if media.dtls is None or not media.dtls.fingerprints:
            raise OfferError(f"the {media.kind} section of the offer has no fingerprint")
        if media.direction is None:
            raise OfferError(
                f"the {media.kind} section of the offer has no direction such as a=recvonly"
            )


def _check_bundle(parsed: SessionDescription) -> None:
    """Sections must have names of their own, and a group may hold those alone."""
    mids = [media.rtp.muxId for media in parsed.media]
    bundled = {mid for group in parsed.group if group.semantic == "BUNDLE" for mid in group.items}
    if len(set(mids)) < len(mids) or not bundled <= set(mids):
        raise OfferError("the a=mid lines of the offer do not match its a=group line")


def _offer(sdp: str, parsed: SessionDescription) -> Offer:
    """What the checked sections of each kind have in common."""
    codecs: dict[str, frozenset[str]] = {}
    directions: dict[str, str] = {}
    for media in parsed.media:
        assert media.direction is not None
        names = frozenset(codec.name.upper() for codec in media.rtp.codecs)
        codecs[media.kind] = codecs.get(media.kind, names) & names
        if directions.setdefault(media.kind, media.direction) != media.direction:
            raise UnsupportedOfferError(
                f"the {media.kind} sections of the offer have different directions"
            )
    ways = (h264.offered(media.rtp.codecs) for media in parsed.media if media.kind == "video")
    sounds = sum(media.kind == "audio" for media in parsed.media)
    return Offer(sdp, codecs, directions, sounds, next(ways, ()))


def prefer(transceiver: RTCRtpTransceiver, names: Sequence[str]) -> None:
    """Restrict a transceiver to these codecs, in order of preference."""
    known = RTCRtpSender.getCapabilities(transceiver.kind).codecs

    def called(name: str) -> list[RTCRtpCodecCapability]:
        return [codec for codec in known if codec.name.upper() == name]

    wanted = [codec for name in names for codec in called(name)]
    transceiver.setCodecPreferences([*wanted, *called("RTX")])


class Peer:
    """A connection with an owner, which ends by itself when the other side is gone.

    Args:
        ice_servers: STUN or TURN servers; none are used unless given.
        bundle: how what is sent shares transports. Unless they are apart, aiortc leaves a second
            sound on the transport that the first was taken off when the offer bundles both with a
            picture that comes before them.
    """

    def __init__(
        self,
        ice_servers: Collection[RTCIceServer] = (),
        bundle: RTCBundlePolicy = RTCBundlePolicy.MAX_COMPAT,
    ) -> None:
        configuration = RTCConfiguration(iceServers=list(ice_servers), bundlePolicy=bundle)
        self._ice_servers = ice_servers
        self.connection = RTCPeerConnection(configuration)
        self.closed = asyncio.Event()
        """Set once the peer is gone and all that served it."""
        self.answer = ""
        """The answering description, all candidates in it."""
        self._stop = asyncio.Event()
        self._connected = False
        self._life: asyncio.Task[None] | None = None
        self.connection.on("connectionstatechange", self._look_at_state)

    async def negotiate(self, offer: Offer, accepted: Collection[H264] = ()) -> None:
        """Answer the offer; from then on the peer manages its own life.

        After an error the owner still has to close it.

        Args:
            offer: as it was read.
            accepted: those of its ways to send H.264 that are agreed to.

        Raises:
            OfferError: if the connection cannot make sense of the offer.
            UnsupportedOfferError: if no codec is left to agree on.
        """
        try:
            shown = h264.shown_to_aiortc(offer.sdp, offer.h264, accepted)
            await self.connection.setRemoteDescription(RTCSessionDescription(shown, "offer"))
            await self.connection.setLocalDescription(await self.connection.createAnswer())
        except OperationError:
            raise UnsupportedOfferError("the offer has no codec that can be used here") from None
        except (ValueError, InternalError, InvalidStateError, AssertionError) as error:
            raise OfferError(f"the offer cannot be answered: {error}") from error
        answer = h264.shown_to_peer(self.connection.localDescription.sdp, accepted)
        self.answer = sections.put_together(answer, offer.declined)
        self._begin()

    def _begin(self) -> None:
        """Both descriptions are there: from now on it ends by itself."""
        self._life = asyncio.create_task(self._live())

    async def aclose(self) -> None:
        """End the connection; returns when nothing of it is left."""
        self._stop.set()
        if self._life is None:
            await self._release()
        else:
            await asyncio.wait([self._life])

    def end(self) -> None:
        """Let the connection end soon, without waiting for it."""
        self._stop.set()

    async def released(self) -> None:
        """Release what a subclass holds besides the connection."""

    async def read(self, text: str, most_sounds: int = 1) -> Offer:
        """Read an offer in a thread, as it takes a while; see ``read_offer``."""
        reach_out = bool(self._ice_servers)
        read = partial(read_offer, text, most_sounds=most_sounds, reach_out=reach_out)
        return await asyncio.to_thread(read)

    def _look_at_state(self) -> None:
        state = self.connection.connectionState
        self._connected |= state == "connected"
        if state == "failed" and not self._connected:
            _log.warning("a WebRTC peer did not get through: %s", self._obstacle())
        if state in ("failed", "closed"):
            self._stop.set()

    def _obstacle(self) -> str:
        if self.connection.iceConnectionState == "completed":
            return (
                "the DTLS handshake failed; an FFmpeg built with GnuTLS needs a certificate of the "
                "kind prime256v1, by -cert_file and -key_file"
            )
        return "no pair of addresses works; see TURN in the operator's guide"

    async def _live(self) -> None:
        heard, silent, unconnected, connected = -1, 0, 0, False
        try:
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), CHECK_INTERVAL_S)
                connected = connected or self.connection.connectionState == "connected"
                unconnected += not connected
                if not connected and unconnected * CHECK_INTERVAL_S >= CONNECT_S:
                    break
                # Checks are counted, not seconds: while this process stalls, nothing is received.
                if (count := await self._received()) != heard:
                    heard, silent = count, 0
                elif (silent := silent + 1) * CHECK_INTERVAL_S > SILENCE_S:
                    break
        finally:
            await self._release()

    async def _received(self) -> int:
        """Packets that ever came from the peer, reports included."""
        stats = await self.connection.getStats()
        return sum(s.packetsReceived for s in stats.values() if s.type == "transport")

    async def _release(self) -> None:
        async with contextlib.AsyncExitStack() as steps:  # all run, whichever fails
            steps.callback(self.closed.set)
            steps.push_async_callback(self.released)
            # A connection that hangs or fails while closing must not hold up its owner.
            try:
                await asyncio.wait_for(self.connection.close(), CLOSE_TIMEOUT_S)
            except Exception as error:
                _log.warning("a WebRTC connection did not close: %r", error)
