"""Timestamps as a source gives them, made into one media timeline that only moves forward."""

from __future__ import annotations

from dataclasses import dataclass

from stream.timeline import TICK_RATE

JUMP = 10 * TICK_RATE
"""A step of this many ticks, either way, is a restarted clock (as FFmpeg's dts_delta_threshold)."""


@dataclass(slots=True)
class _StreamClock:
    offset: int
    expected: int | None = None


class TimestampRepair:
    """Maps each stream's decoding timestamps to media time.

    All streams share their offsets: when one stream's clock jumps, the offset that makes it
    continue is offered to the others as they pass the same point, so streams that were in
    sync stay in sync. A missing timestamp continues from the one before.

    Args:
        origin: source timestamp that becomes media time 0, ticks.
        discontinuous: whether the container's clock may restart (MPEG-TS, HLS, RTMP). In
            others a long step forward is a real gap, and only a step back is repaired.
    """

    def __init__(self, origin: int, *, discontinuous: bool) -> None:
        self._offsets = [-origin]
        self._discontinuous = discontinuous
        self._clocks: dict[int, _StreamClock] = {}
        self.jumps = 0

    def offset(self, stream: int, timestamp: int | None, duration: int) -> int:
        """Ticks to add to this packet's timestamps to put them on the media timeline.

        Args:
            stream: index of the stream.
            timestamp: the packet's decoding timestamp in ticks, or ``None`` if it has none.
            duration: the packet's length in ticks, 0 if unknown.
        """
        clock = self._clocks.setdefault(stream, _StreamClock(self._offsets[0]))
        if timestamp is not None:
            if clock.expected is not None and self._jumped(timestamp + clock.offset, clock):
                clock.offset = self._continue(timestamp, clock.expected)
            clock.expected = timestamp + clock.offset + duration
        elif clock.expected is not None:
            clock.expected += duration
        else:
            clock.expected = duration
        return clock.offset

    def expected(self, stream: int) -> int:
        """Media time at which the stream's next packet is due, ticks."""
        clock = self._clocks.get(stream)
        return clock.expected if clock is not None and clock.expected is not None else 0

    def _jumped(self, time: int, clock: _StreamClock) -> bool:
        assert clock.expected is not None
        step = time - clock.expected
        return step < -JUMP or (step > JUMP and self._discontinuous)

    def _continue(self, timestamp: int, expected: int) -> int:
        newest = self._offsets[-1]
        if abs(timestamp + newest - expected) <= JUMP:
            return newest
        self.jumps += 1
        self._offsets.append(expected - timestamp)
        return self._offsets[-1]
