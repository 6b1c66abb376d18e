"""Sender reports that say exactly which instants of sound and picture belong together.

aiortc reports the wall time at which a packet happened to be sent, so every hiccup of a busy
machine would move the picture against the sound. Here both streams are reported by media time:
whatever leaves late, the two agree to the tick. A first report follows the first packet at
once, so that one who joins late is in sync from the start. Two sounds of one peer moreover have
equal RTP timestamps for equal media times: browsers synchronise a sound with its picture by the
reports, but not with another sound, and give pages nothing but timestamps to do it with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiortc import clock
from aiortc.rtp import RtcpPacket, RtcpSenderInfo, RtcpSrPacket, is_rtcp

from server.webrtc.aiortc_private import TransportFilter
from stream.timeline import TICK, TICK_RATE, rescale

EARLY = (0, TICK_RATE // 4, TICK_RATE // 2, TICK_RATE)
"""Ticks after the first packet at which reports are sent besides those every second or so.

Browsers want two reports of a stream before they use them.
"""

BURST = 16
"""Packets that may leave in one go: a keyframe of hundreds would overrun a socket's buffer."""

BURST_PAUSE_S = 0.004
"""Seconds between bursts: some 40 Mbit/s."""


def ntp_now() -> int:
    """The wall clock in units of 2^-32 s since 1900."""
    return clock.current_ntp_time()


def ntp_ticks(ticks: int) -> int:
    """A duration in ticks in NTP's units."""
    return (ticks << 32) // TICK_RATE


class ReportingTransport(TransportFilter):
    """Stands between one sender and its transport, and corrects its timestamps and reports.

    Args:
        transport: aiortc's, to which everything else is passed on.
        ssrc: of the sender.
        rate: of its RTP clock, Hz.
        sent: media time, ticks, of what the sender is sending.
        zero: NTP time of media time 0; the same for all senders of a peer.
        origin: RTP timestamp of media time 0; random, but the same for all senders of a peer.
    """

    def __init__(
        self,
        transport: Any,
        ssrc: int,
        rate: int,
        sent: Callable[[], int],
        zero: int,
        origin: int,
    ) -> None:
        super().__init__(transport)
        self._ssrc = ssrc
        self._unit = Fraction(1, rate)
        self._sent = sent
        self._zero = zero
        self._origin = origin
        self._shift: int | None = None  # from aiortc's timestamps to ours
        self._first = self._newest = 0
        self._early = list(EARLY)
        self._packets = 0
        self._octets = 0
        self._burst = 0

    async def filter_sent(self, data: bytes) -> None:
        """Correct a packet's timestamp, or the report in it, and send it."""
        if is_rtcp(data):
            if corrected := self._correct(data):
                await self.pass_on(corrected)
            return
        given = int.from_bytes(data[4:8], "big")
        if self._shift is None:
            self._first = self._sent()
            self._shift = self._timestamp(self._first) - given
        stamp = (given + self._shift) & 0xFFFFFFFF
        await self.pass_on(data[:4] + stamp.to_bytes(4, "big") + data[8:])
        if int.from_bytes(data[8:12], "big") == self._ssrc:
            await self._count(data)

    async def _count(self, data: bytes) -> None:
        now = self._sent()
        self._burst = self._burst + 1 if now == self._newest else 1
        self._newest = now
        if self._burst % BURST == 0:
            await asyncio.sleep(BURST_PAUSE_S)
        self._packets += 1
        self._octets += len(data) - 12
        if self._early and now - self._first >= self._early[0]:
            self._early.pop(0)
            await self.pass_on(bytes(self._report(self._packets, self._octets)))

    def _correct(self, data: bytes) -> bytes:
        packets = RtcpPacket.parse(data)
        for at, packet in enumerate(packets):
            if isinstance(packet, RtcpSrPacket):
                if self._shift is None:
                    return b""  # nothing sent yet: a report would lie
                info = packet.sender_info
                packets[at] = self._report(info.packet_count, info.octet_count)
        return b"".join(bytes(packet) for packet in packets)

    def _report(self, packets: int, octets: int) -> RtcpSrPacket:
        now = self._sent()
        return RtcpSrPacket(
            ssrc=self._ssrc,
            sender_info=RtcpSenderInfo(
                ntp_timestamp=(self._zero + ntp_ticks(now)) & (1 << 64) - 1,
                rtp_timestamp=self._timestamp(now),
                packet_count=packets & 0xFFFFFFFF,
                octet_count=octets & 0xFFFFFFFF,
            ),
        )

    def _timestamp(self, time: int) -> int:
        """RTP timestamp of a media time."""
        return (self._origin + rescale(time, TICK, self._unit)) & 0xFFFFFFFF
