"""When pictures are shown that have no time of their own, such as those in AVI."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av
import av.error

from stream.frames import CopiedPacket
from stream.media.bounds import picture_decoder
from stream.timeline import TICK, rescale

LONGEST_REORDER = 32
"""Packets after which a picture that no decoder has shown counts as damaged; H.264 allows 16."""


class DisplayOrder:
    """Gives each packet of a picture stream its presentation time.

    Containers such as AVI hold decoding times alone. They are presentation times as well, in
    the order in which pictures are shown: so says whoever decodes them.

    Args:
        stream: of the packets.
        timed: whether its packets have presentation times, which are left as they are then.
    """

    def __init__(self, stream: Any, *, timed: bool) -> None:
        self._depth = 0
        self._decoder: Any = None
        context = stream.codec_context
        if not timed and stream.type == "video" and context and context.has_b_frames:
            self._depth = context.reorder_depth
            self._decoder = picture_decoder(context.name)
            self._decoder.extradata = context.extradata
            self._decoder.thread_count = 1
            # Only the order is of interest.
            self._decoder.options |= {"skip_loop_filter": "all", "flags2": "fast"}
        self._waiting: dict[int, CopiedPacket] = {}
        self._count = 0
        self._times: deque[int] = deque()  # decoding times that nothing is shown at yet
        self._skipped = 0
        self._next: int = 0
        """When what follows the last packet is due, in the stream's units."""

    def push(self, item: CopiedPacket) -> Iterator[CopiedPacket]:
        """The packets whose times are known now, in decoding order."""
        packet = item.packet
        if self._decoder is None:
            if packet.pts is None:
                packet.pts = packet.dts
            yield item
            return
        if packet.dts is None:
            packet.dts = rescale(item.time, TICK, packet.time_base)
        if self._skipped < self._depth:
            self._skipped += 1  # a picture is shown this many packets after it is decoded
        else:
            self._times.append(packet.dts)
        self._next = int(packet.dts) + max(1, packet.duration or 0)
        packet.pts = None
        self._waiting[self._count] = item
        coded: Any = av.Packet(bytes(packet))
        coded.pts = self._count
        self._count += 1
        self._show(coded)
        yield from self._ready(LONGEST_REORDER)

    def flush(self) -> Iterator[CopiedPacket]:
        """The rest."""
        if self._decoder is not None:
            self._show(None)
            yield from self._ready(0)

    def _show(self, coded: Any) -> None:
        try:
            frames = self._decoder.decode(coded)
        except (av.error.FFmpegError, OSError):
            return
        for frame in frames:
            if (item := self._waiting.get(frame.pts)) is not None:
                item.packet.pts = self._time(item)

    def _ready(self, most: int) -> Iterator[CopiedPacket]:
        while self._waiting:
            number = next(iter(self._waiting))
            item = self._waiting[number]
            if item.packet.pts is None:
                if len(self._waiting) <= most:
                    return
                item.packet.pts = self._time(item)
            yield self._waiting.pop(number)

    def _time(self, item: CopiedPacket) -> int:
        if self._times:
            return max(self._times.popleft(), int(item.packet.dts))
        time = self._next
        self._next += max(1, item.packet.duration or 0)
        return time
