"""Everything of aiortc that is not its public interface and that we cannot do without.

aiortc decodes what it receives and stamps what it sends by itself; no public name lets packets
pass as they are. No other module uses a private name of aiortc's, so that an upgrade is checked
in one place: `tests/server/webrtc/test_aiortc_private.py` fails where one is gone or has changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from aiortc import RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver, rtp
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import AnyRtcpPacket, RtpPacket

rtp.DYNAMIC_PAYLOAD_TYPES = frozenset((*range(35, 64), *range(96, 128)))  # type: ignore[assignment]
"""Which payload types an answer repeats as they were offered. Browsers have more to offer than
96 to 127 hold and go on from 35 (RFC 5761, section 4); aiortc puts its own there."""


class RtpHandler(Protocol):
    """Takes each RTP packet that a receiver would have decoded."""

    def __call__(self, packet: RtpPacket, arrival_time_ms: int) -> Coroutine[Any, Any, None]:
        """Take a packet and when it arrived; aiortc passes the time by name."""
        ...


RtcpHandler = Callable[[AnyRtcpPacket], Coroutine[Any, Any, None]]
"""Takes each RTCP packet that is addressed to a receiver, parsed."""


def negotiated_codecs(transceiver: RTCRtpTransceiver) -> list[RTCRtpCodecParameters]:
    """The codecs agreed on, preferred first; empty before there is an answer."""
    return list(transceiver._codecs)


def own_ssrc(sender: RTCRtpSender) -> int:
    """The SSRC of what the sender sends; reports on its transceiver's receiver bear it too."""
    ssrc: int = sender._ssrc
    return ssrc


def set_stream(sender: RTCRtpSender, name: str) -> None:
    """Announce the sender's track as part of a stream (``msid``); before the answer is made."""
    sender._stream_id = name


def divert(receiver: RTCRtpReceiver, on_rtp: RtpHandler, on_rtcp: RtcpHandler) -> None:
    """Hand everything that arrives for a receiver to these instead; before it starts."""
    receiver._handle_rtp_packet = on_rtp  # type: ignore[method-assign]
    receiver._handle_rtcp_packet = on_rtcp  # type: ignore[method-assign, assignment]


async def send_rtcp(receiver: RTCRtpReceiver, packet: AnyRtcpPacket) -> None:
    """Send an RTCP packet to where the receiver's media comes from, if it is connected."""
    with contextlib.suppress(ConnectionError):
        await receiver.transport._send_rtp(bytes(packet))


class TransportFilter:
    """Stands between senders and their transport; a subclass overrides ``filter_sent``.

    Args:
        transport: aiortc's, which does everything else.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def install(self, sender: RTCRtpSender) -> None:
        """Put this before the sender's transport; before it starts."""
        sender.setTransport(self)  # type: ignore[arg-type]

    async def filter_sent(self, data: bytes) -> None:
        """Called with each packet, RTP or RTCP, that a sender sends; passes it on as it is."""
        await self.pass_on(data)

    async def pass_on(self, data: bytes) -> None:
        """Send a packet by the transport."""
        await self._transport._send_rtp(data)

    async def _send_rtp(self, data: bytes) -> None:
        await self.filter_sent(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
