"""The encodings of one track that a publisher sends side by side, and which of them is taken.

With simulcast (RFC 8853) the same picture comes in several sizes, each with an SSRC and a clock of
its own, and any may be paused; a publisher who restarts its encoder takes a new SSRC, too.
"""

from __future__ import annotations

from collections import deque

from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpReceiverInfo, RtcpSrPacket, RtpPacket

from server.webrtc.rtp_clock import RtpClock

MOST = 8
"""Layers that are known at once; the one that has been silent longest makes room."""

SILENT_S = 0.7
"""A layer without packets for so long is paused or over."""

RATE_S = 1.0
"""Seconds over which a layer's bit rate is taken."""

BETTER = 1.3
"""How many times the bit rate of the layer taken another must have to be taken instead."""


class Layer:
    """One encoding.

    Args:
        ssrc: of its packets.
        rate: of its clock, Hz.
        now: seconds.
    """

    def __init__(self, ssrc: int, rate: int, now: float) -> None:
        self.ssrc = ssrc
        self.clock = RtpClock(rate)
        self.heard = now
        """When the newest packet came, seconds."""
        self._began = now
        self._statistics = StreamStatistics(rate)
        self._report: tuple[int, float] | None = None  # of the newest sender report, and when
        self._sizes: deque[tuple[float, int]] = deque()

    def arrived(self, packet: RtpPacket, now: float) -> int:
        """Note a packet; its time on the layer's clock, ticks."""
        self.heard = now
        self._statistics.add(packet)
        self._sizes.append((now, len(packet.payload)))
        while self._sizes[0][0] < now - RATE_S:
            self._sizes.popleft()
        return self.clock.arrived(packet.timestamp, now)

    def reported(self, packet: RtcpSrPacket, now: float) -> None:
        """Note a sender report."""
        info = packet.sender_info
        if info.ntp_timestamp:
            self.clock.reported(info.ntp_timestamp, info.rtp_timestamp)
        self._report = (info.ntp_timestamp >> 16 & 0xFFFFFFFF, now)

    def live(self, now: float) -> bool:
        """Whether it is being sent."""
        return now - self.heard < SILENT_S

    def size(self, now: float) -> int:
        """Bytes in the last second; 0 while it has not lasted so long."""
        if now - self._began < RATE_S:
            return 0
        return sum(size for at, size in self._sizes if at > now - RATE_S)

    def report(self, now: float) -> RtcpReceiverInfo:
        """What is told to its sender about its reception."""
        lsr = dlsr = 0
        if self._report is not None:
            lsr, dlsr = self._report[0], int((now - self._report[1]) * 65536)
        return RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=self._statistics.fraction_lost,
            packets_lost=self._statistics.packets_lost,
            highest_sequence=self._statistics.cycles + (self._statistics.max_seq or 0),
            jitter=self._statistics.jitter,
            lsr=lsr,
            dlsr=min(dlsr, 0xFFFFFFFF),
        )


class Layers:
    """All layers of one track.

    Args:
        rate: of their clocks, Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._known: dict[int, Layer] = {}
        self.taken: Layer | None = None
        """The one whose packets are used."""

    def of(self, ssrc: int, now: float) -> Layer:
        """The layer of a packet, made if it is a new one; the first is taken."""
        layer = self._known.get(ssrc)
        if layer is None:
            if len(self._known) >= MOST:
                others = [one for one in self._known.values() if one is not self.taken]
                del self._known[min(others, key=lambda one: one.heard).ssrc]
            layer = self._known[ssrc] = Layer(ssrc, self._rate, now)
            self.taken = self.taken or layer
        return layer

    def find(self, ssrc: int) -> Layer | None:
        """The layer of that SSRC, if it is known."""
        return self._known.get(ssrc)

    def live(self, now: float) -> list[Layer]:
        """Those that are being sent."""
        return [layer for layer in self._known.values() if layer.live(now)]

    def better(self, now: float) -> Layer | None:
        """The layer that should be taken instead: the largest, or any if the taken one is over."""
        taken = self.taken
        best = max(self.live(now), key=lambda one: (one.size(now), one.heard), default=None)
        if taken is None or best is None or best is taken:
            return None
        if taken.live(now) and best.size(now) <= BETTER * taken.size(now):
            return None
        return best
