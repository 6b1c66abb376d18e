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
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)

from server.webrtc.aiortc_private import divert, negotiated_codecs, own_ssrc, send_rtcp
from server.webrtc.rtp_clock import RtpClock
from server.webrtc.rtp_layers import Layer, Layers
from server.webrtc.rtp_order import Reorder
from server.webrtc.rtp_pictures import begins_key

REPORT_INTERVAL_S = 1.0
"""Seconds between receiver reports."""

SWITCH_INTERVAL_S = 0.5
"""Seconds between requests for a keyframe of a layer that is to be taken."""

MAX_NACKED = 100
"""Packets requested again in one NACK."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A packet of media, its codec, and its time on the stream's clock, ticks."""

    packet: RtpPacket
    codec: RTCRtpCodecParameters
    time: int


class Reception:
    """One track of a publisher: packets of its best layer in order, clock, loss and feedback.

    Args:
        transceiver: negotiated; its receiver must not have started.
        wait: seconds to wait for a missing packet.
        capacity: packets held at most.
        changed: called when something has arrived.
        switched: called when the first or another layer is taken. Its clock follows that of the one
            before, and its next packet begins a keyframe.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        *,
        wait: float,
        capacity: int,
        changed: Callable[[], None],
        switched: Callable[[], None] = lambda: None,
    ) -> None:
        codecs = negotiated_codecs(transceiver)
        self._receiver = transceiver.receiver
        self._own_ssrc = own_ssrc(transceiver.sender)
        self._codecs = {codec.payloadType: codec for codec in codecs}
        self._repeats = any(f.type == "nack" and not f.parameter for f in codecs[0].rtcpFeedback)
        self._video = transceiver.kind == "video"
        self._bitrate = RemoteBitrateEstimator() if self._video else None
        self._changed = changed
        self._switched = switched
        self._layers = Layers(codecs[0].clockRate)
        self._reported = 0.0
        self._asked = 0.0
        self._now = asyncio.get_running_loop().time
        self._wait, self._capacity = wait, capacity
        self.order: Reorder[Arrived] = Reorder(wait, capacity)
        self._no_clock = RtpClock(codecs[0].clockRate)
        self.received = 0
        """Packets so far, repeats included."""
        self.said_goodbye = False
        divert(self._receiver, self._take, self._take_report)

    @property
    def clock(self) -> RtpClock:
        """Of the layer that is taken."""
        taken = self._layers.taken
        return self._no_clock if taken is None else taken.clock

    async def feedback(self) -> None:
        """Request missing packets again, and report; to be called several times a second."""
        taken, now = self._layers.taken, self._now()
        if taken is None:
            return
        if self._repeats and (missing := self.order.missing()):
            nack = RtcpRtpfbPacket(RTCP_RTPFB_NACK, self._own_ssrc, taken.ssrc)
            nack.lost = missing[:MAX_NACKED]
            await send_rtcp(self._receiver, nack)
        if now - self._reported >= REPORT_INTERVAL_S:
            self._reported = now
            reports = [layer.report(now) for layer in self._layers.live(now) or [taken]]
            await send_rtcp(self._receiver, RtcpRrPacket(ssrc=self._own_ssrc, reports=reports))
        due = self._video and now - self._asked >= SWITCH_INTERVAL_S
        if due and (better := self._layers.better(now)) is not None:
            self._asked = now
            await self._request_keyframe(better)

    async def request_keyframe(self) -> None:
        """Ask the sender for a keyframe."""
        if self._layers.taken is not None:
            await self._request_keyframe(self._layers.taken)

    async def _request_keyframe(self, layer: Layer) -> None:
        pli = RtcpPsfbPacket(RTCP_PSFB_PLI, self._own_ssrc, layer.ssrc)
        await send_rtcp(self._receiver, pli)

    async def _take(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self.received += 1
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            return
        await self._estimate(packet, arrival_time_ms)
        arrived = self._repeated(packet, codec) if is_rtx(codec) else self._sent(packet, codec)
        if arrived is None:
            return
        gap = self.order.deadline()
        self.order.add(arrived.packet.sequence_number, arrived, self._now())
        if self._repeats and gap is None and self.order.missing():
            # At once: the sooner it is requested, the sooner it is here.
            await self.feedback()
        self._changed()

    def _sent(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> Arrived | None:
        """A packet of media, if it is of the layer that is taken."""
        now, first = self._now(), self._layers.taken is None
        layer = self._layers.of(packet.ssrc, now)
        time = layer.arrived(packet, now)
        if first:
            self._switched()
        if layer is not self._layers.taken:
            key = not self._video or begins_key(codec.name, packet.payload)
            if not key or self._layers.better(now) is not layer:
                return None
            layer.clock.follow(self.clock)
            time = layer.clock.ticks(packet.timestamp)
            self._layers.taken = layer
            self.order = Reorder(self._wait, self._capacity)
            self._switched()
        return Arrived(packet, codec, time)

    def _repeated(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> Arrived | None:
        """A packet that was requested again, unless it may be of another layer."""
        base, taken = codec.parameters.get("apt"), self._layers.taken
        if taken is None or len(packet.payload) < 2 or base not in self._codecs:
            return None
        if len(self._layers.live(self._now())) > 1:
            return None
        codec = self._codecs[base]
        packet = unwrap_rtx(packet, payload_type=codec.payloadType or 0, ssrc=taken.ssrc)
        return Arrived(packet, codec, taken.clock.ticks(packet.timestamp))

    async def _take_report(self, packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket):
            if (layer := self._layers.find(packet.ssrc)) is not None:
                layer.reported(packet, self._now())
        elif isinstance(packet, RtcpByePacket):
            taken = self._layers.taken
            if taken is None or taken.ssrc in packet.sources:
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
