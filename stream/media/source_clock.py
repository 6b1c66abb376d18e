"""One clock for a source: what the timestamps of its streams together say about media time.

A stream alone cannot tell a clock that was set from sound that was away. Its neighbours can: a
jump that all streams make is a clock that began again; a gap in one of them is silence, or a
picture that stands still; and a distance between streams that no device has means that each has a
zero of its own.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stream.timeline import TICK_RATE

JUMP = 10 * TICK_RATE
"""Ticks that no pause, and no device between its picture and its sound, is expected to last (10 s,
as FFmpeg's ``dts_delta_threshold``)."""

BACK = TICK_RATE // 2
"""Ticks by which decoding times may go back (0.5 s) without a clock having been set."""

INTERLEAVING = TICK_RATE
"""Ticks (1 s) by which one stream of a source may arrive ahead of another."""

PATIENCE = 2 * TICK_RATE
"""Ticks of a stream that jumped (2 s) that wait while nothing of the others is heard."""

HELD = 200
"""Packets that wait so at most, where their timestamps do not say how long it has been."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A packet on the media timeline.

    Attributes:
        item: what was handed in.
        time: its decoding time, ticks.
        offset: what brings its timestamps to media time, ticks to add.
    """

    item: T
    time: int
    offset: int


@dataclass(slots=True)
class _Stream:
    """How far a stream has come; ``expected`` is the media time of its next packet."""

    offset: int
    expected: int


@dataclass(slots=True)
class _Jump(Generic[T]):
    """A stream that jumped; its packets wait until the others have told what that means."""

    stream: Hashable
    step: int
    first: int  # timestamp
    begun: int  # media time that was due
    away: int  # ticks for which it had been away
    newest: int  # timestamp
    heard: int  # timestamp of its own when the others were last heard
    held: list[tuple[int | None, int, T]] = field(default_factory=list)


class SourceClock(Generic[T]):
    """Places the packets of all streams of a source on one timeline; pure arithmetic.

    Where a stream jumps, its packets are held until another one has jumped as well or gone on,
    or for ``PATIENCE``; all others are given back at once.

    Args:
        origin: source timestamp that becomes media time 0, ticks; by default the first one.
        discontinuous: whether the source's clock may be set while it runs, as in MPEG-TS.
            In others a long step forward is a real gap.
        back: ticks of a step back up to which it only repeats what was there.
    """

    def __init__(self, origin: int | None = None, *, discontinuous: bool, back: int = BACK) -> None:
        self._offset = None if origin is None else -origin  # the newest
        self._discontinuous = discontinuous
        self._back = back
        self._streams: dict[Hashable, _Stream] = {}
        self._jump: _Jump[T] | None = None
        self.restarts = 0
        """How often a clock was found to have been set."""

    def place(
        self, stream: Hashable, timestamp: int | None, duration: int, item: T
    ) -> list[Placed[T]]:
        """The next packet of a stream of sound or pictures, in the order of arrival.

        Args:
            stream: to which it belongs.
            timestamp: its decoding timestamp, ticks, or ``None`` to go on from the one before.
            duration: its length, ticks; 0 if unknown.
            item: the packet.

        Returns:
            What can be placed now: packets of this and of other streams, each stream's in order.
        """
        jump = self._jump
        if jump is not None and jump.stream == stream:
            jump.held.append((timestamp, duration, item))
            jump.newest = jump.newest if timestamp is None else timestamp
            waited = abs(jump.newest - jump.heard) > PATIENCE
            return self._settle(alone=False) if waited or len(jump.held) > HELD else []
        known = self._streams.get(stream)
        if known is None:
            known = self._streams[stream] = self._join(timestamp)
        if timestamp is not None and (step := self._step(known, timestamp)):
            if jump is None:
                return self._suspect(stream, known, step, (timestamp, duration, item))
            return [
                *self._settle(alone=False, other=(known, timestamp, step)),
                *self.place(stream, timestamp, duration, item),
            ]
        time = known.expected if timestamp is None else timestamp + known.offset
        known.expected = time + duration
        placed = [Placed(item, time, known.offset)]
        if jump is not None:
            jump.heard = jump.newest
            if known.expected - jump.begun > INTERLEAVING:
                placed += self._settle(alone=True)
        return placed

    def follow(self, timestamp: int | None, item: T) -> Placed[T]:
        """A packet of a stream that says nothing about the clock, such as subtitles."""
        offset = self._offset or 0
        return Placed(item, self._front if timestamp is None else timestamp + offset, offset)

    def flush(self) -> list[Placed[T]]:
        """What is still held, at the end of the source."""
        placed: list[Placed[T]] = []
        while self._jump is not None:
            placed += self._settle(alone=False)
        return placed

    @property
    def _front(self) -> int:
        """How far the stream that is ahead has come."""
        return max((known.expected for known in self._streams.values()), default=0)

    def _join(self, timestamp: int | None) -> _Stream:
        """The first packet of a stream: on the others' clock, unless absurdly far from them."""
        front = self._front
        if self._offset is None:
            self._offset = -(timestamp or 0)
        if timestamp is None:
            return _Stream(self._offset, front)
        offset = self._offset
        if self._discontinuous and abs(timestamp + offset - front) > JUMP:
            offset = front - timestamp
            if not self._streams:
                self._offset = offset
        return _Stream(offset, timestamp + offset)

    def _step(self, known: _Stream, timestamp: int) -> int:
        """By how much a stream has jumped; 0 if it goes on, was only away, or follows a jump."""
        time, front = timestamp + known.offset, self._front
        step = time - known.expected
        if abs(step) > BACK and known.offset != self._offset:
            assert self._offset is not None
            after = timestamp + self._offset
            plausible = known.expected - BACK <= after <= front + JUMP
            if plausible and abs(after - front) < abs(time - front):
                known.offset = self._offset
                return 0
        ahead = self._discontinuous and time - front > JUMP
        return step if step < -self._back or ahead else 0

    def _suspect(
        self, stream: Hashable, known: _Stream, step: int, packet: tuple[int, int, T]
    ) -> list[Placed[T]]:
        """A stream jumps: it waits for the others, unless there are none."""
        first, away = packet[0], self._front - known.expected
        self._jump = _Jump(stream, step, first, known.expected, away, first, first, [packet])
        others = (other for name, other in self._streams.items() if name != stream)
        if any(known.expected - other.expected <= JUMP for other in others):
            return []
        return self._settle(alone=False)

    def _settle(
        self, *, alone: bool, other: tuple[_Stream, int, int] | None = None
    ) -> list[Placed[T]]:
        """It is known what a jump means; place what was held.

        Args:
            alone: whether the other streams went on.
            other: another stream that jumped, its timestamp and its step.
        """
        jump = self._jump
        assert jump is not None
        self._jump = None
        known = self._streams[jump.stream]
        offset = known.expected - jump.first
        if alone and -JUMP <= jump.step < 0:
            # It repeats itself: what was there already is cut where it is used.
            known.expected += jump.step
        elif alone:
            # Its own clock was set, perhaps while it was away: only its arrival can be trusted.
            known.expected += jump.away if jump.away > INTERLEAVING else 0
            known.offset = known.expected - jump.first
            self.restarts += 1
        else:
            if other is not None and abs(other[2] - jump.step) <= JUMP:
                # Both go on together, without a repeat in either.
                offset = max(offset, other[0].expected - other[1])
                other[0].offset = offset
            self._offset = known.offset = offset
            self.restarts += 1
        placed = []
        for timestamp, duration, item in jump.held:
            placed += self.place(jump.stream, timestamp, duration, item)
        return placed
