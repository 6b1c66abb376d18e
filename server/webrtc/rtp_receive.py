"""RTP as it arrives, before aiortc decodes it, and the feedback that its sender needs.

aiortc's receiver counts packets instead of time: one lost packet of sound holds up or drops
several others, one lost packet of picture up to 512, and everything is decoded. So its two
handlers are replaced on the one receiver concerned; connection, keys and routing stay its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCRtpTransceiver
from aiortc.codecs import is_rtx
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)

from server.webrtc.aiortc_private import divert, negotiated_codecs, own_ssrc, send_rtcp
from server.webrtc.rtp_clock import RtpClock
from server.webrtc.rtp_order import Reorder

REPORT_INTERVAL_S = 1.0
"""Seconds between receiver reports."""

MAX_NACKED = 100
"""Packets requested again in one NACK."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A packet of media, its codec, and its time on the stream's clock, ticks."""

    packet: RtpPacket
    codec: RTCRtpCodecParameters
    time: int


class Reception:
    """One stream of a publisher: packets in order, clock, loss and feedback.

    Args:
        transceiver: negotiated; its receiver must not have started.
        wait: seconds to wait for a missing packet.
        capacity: packets held at most.
        changed: called when something has arrived.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        *,
        wait: float,
        capacity: int,
        changed: Callable[[], None],
    ) -> None:
        codecs = negotiated_codecs(transceiver)
        self._receiver = transceiver.receiver
        self._own_ssrc = own_ssrc(transceiver.sender)
        self._codecs = {codec.payloadType: codec for codec in codecs}
        self._repeats = any(f.type == "nack" and not f.parameter for f in codecs[0].rtcpFeedback)
        self._video = transceiver.kind == "video"
        self._bitrate = RemoteBitrateEstimator() if self._video else None
        self._changed = changed
        self._ssrc: int | None = None
        self._statistics: StreamStatistics | None = None
        self._report: tuple[int, float] | None = None  # of the newest sender report, and when
        self._reported = 0.0
        self._now = asyncio.get_running_loop().time
        self.order: Reorder[Arrived] = Reorder(wait, capacity)
        self.clock = RtpClock(codecs[0].clockRate)
        self.received = 0
        """Packets so far, repeats included."""
        self.said_goodbye = False
        divert(self._receiver, self._take, self._take_report)

    async def feedback(self) -> None:
        """Request missing packets again, and report; to be called several times a second."""
        if self._ssrc is None:
            return
        if self._repeats and (missing := self.order.missing()):
            nack = RtcpRtpfbPacket(RTCP_RTPFB_NACK, self._own_ssrc, self._ssrc)
            nack.lost = missing[:MAX_NACKED]
            await send_rtcp(self._receiver, nack)
        if self._now() - self._reported >= REPORT_INTERVAL_S:
            self._reported = self._now()
            await self._send_report()

    async def request_keyframe(self) -> None:
        """Ask the sender for a keyframe."""
        if self._ssrc is not None:
            pli = RtcpPsfbPacket(RTCP_PSFB_PLI, self._own_ssrc, self._ssrc)
            await send_rtcp(self._receiver, pli)

    async def _take(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self.received += 1
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            return
        await self._estimate(packet, arrival_time_ms)
        if is_rtx(codec):
            base = codec.parameters.get("apt")
            if self._ssrc is None or len(packet.payload) < 2 or base not in self._codecs:
                return
            codec = self._codecs[base]
            packet = unwrap_rtx(packet, payload_type=codec.payloadType or 0, ssrc=self._ssrc)
            time = self.clock.ticks(packet.timestamp)
        else:
            if self._ssrc is None:
                self._ssrc = packet.ssrc
                self._statistics = StreamStatistics(codec.clockRate)
            if packet.ssrc != self._ssrc:
                return  # a second layer of the same picture
            assert self._statistics is not None
            self._statistics.add(packet)
            time = self.clock.arrived(packet.timestamp, self._now())
        gap = self.order.deadline()
        self.order.add(packet.sequence_number, Arrived(packet, codec, time), self._now())
        if self._repeats and gap is None and self.order.missing():
            # At once: the sooner it is requested, the sooner it is here.
            await self.feedback()
        self._changed()

    async def _take_report(self, packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket) and self._ssrc in (None, packet.ssrc):
            info = packet.sender_info
            if info.ntp_timestamp and self._ssrc is not None:
                self.clock.reported(info.ntp_timestamp, info.rtp_timestamp)
            self._report = (info.ntp_timestamp >> 16 & 0xFFFFFFFF, self._now())
        elif isinstance(packet, RtcpByePacket):
            self.said_goodbye = True
            self._changed()

    async def _estimate(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        """Tell the sender how much gets through: without an estimate it never sends more."""
        if self._bitrate is None or packet.extensions.abs_send_time is None:
            return
        estimate = self._bitrate.add(
            abs_send_time=packet.extensions.abs_send_time,
            arrival_time_ms=arrival_time_ms,
            payload_size=len(packet.payload) + packet.padding_size,
            ssrc=packet.ssrc,
        )
        if estimate is not None:
            fci = pack_remb_fci(*estimate)
            remb = RtcpPsfbPacket(RTCP_PSFB_APP, self._own_ssrc, media_ssrc=0, fci=fci)
            await send_rtcp(self._receiver, remb)

    async def _send_report(self) -> None:
        assert self._ssrc is not None and self._statistics is not None
        lsr = dlsr = 0
        if self._report is not None:
            lsr, dlsr = self._report[0], int((self._now() - self._report[1]) * 65536)
        info = RtcpReceiverInfo(
            ssrc=self._ssrc,
            fraction_lost=self._statistics.fraction_lost,
            packets_lost=self._statistics.packets_lost,
            highest_sequence=self._statistics.cycles + (self._statistics.max_seq or 0),
            jitter=self._statistics.jitter,
            lsr=lsr,
            dlsr=min(dlsr, 0xFFFFFFFF),
        )
        await send_rtcp(self._receiver, RtcpRrPacket(ssrc=self._own_ssrc, reports=[info]))
