"""RTP clocks: 32-bit timestamps unwrapped, and two streams aligned on one timeline."""

from __future__ import annotations

import logging
from collections import deque
from fractions import Fraction

from stream.timeline import TICK, TICK_RATE, rescale

_HALF, _FULL = 1 << 31, 1 << 32

_log = logging.getLogger(__name__)

SLEW = 0.05
"""Most by which the picture's time is stretched or squeezed to get in sync (5 %)."""

FAST_SLEW = 0.25
"""The same beyond ``FAR_OFF``: an error that anyone can see must not last long."""

FAR_OFF = TICK_RATE // 5
"""Ticks (0.2 s)."""

JUMP = 5 * TICK_RATE
"""An error beyond this (5 s) is a clock that was reset; it is corrected at once."""

ARRIVALS = 100
"""Packets among which the one with the least delay is sought."""

EARLY_S = 5.0
"""A packet of a time so far ahead of its arrival shows a clock that was set forward."""

BACK_S = 2.0
"""One of a time so far before the newest shows a clock that was set back: repeats come sooner."""

PAUSED_S = 2.0
"""A clock that stays behind by more than this for so long was stopped, as the network was not: what
that has held up comes in a burst."""


class Unwrapper:
    """Unwraps 32-bit timestamps; small steps back are allowed."""

    def __init__(self) -> None:
        self._last: int | None = None

    def __call__(self, timestamp: int) -> int:
        """The timestamp without its wraparounds."""
        if self._last is None:
            self._last = timestamp
        full = self._last + (timestamp - self._last + _HALF) % _FULL - _HALF
        self._last = max(self._last, full)
        return full


class RtpClock:
    """One stream's RTP clock, and what is known of it.

    Its ticks pass as the time in which packets arrive: while a publisher is muted, some senders
    let the clock run on, some stop it, and others set it anew. Whichever it was, what follows is
    as much later as it arrives later.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self.unit = Fraction(1, rate)
        self.unwrap = Unwrapper()
        self.report: tuple[float, int] | None = None
        """Of the newest sender report: the sender's wall time, seconds; timestamp in ticks."""
        self._delays: deque[float] = deque(maxlen=ARRIVALS)
        self._shift = 0  # of its own ticks, where it was set or stopped
        self._newest: int | None = None
        self.zero = 0.0
        """The least delay, before any of what is late; seconds."""
        self._behind: deque[tuple[float, float]] = deque()  # arrival and delay of what is late

    def ticks(self, timestamp: int) -> int:
        """A timestamp of this stream, unwrapped, in ticks."""
        return rescale(self.unwrap(timestamp), self.unit, TICK) + self._shift

    def arrived(self, timestamp: int, now: float) -> int:
        """Note that a packet has arrived.

        Args:
            timestamp: the packet's.
            now: seconds.

        Returns:
            The packet's time, ticks, which does not change if the clock does later.
        """
        time = self.ticks(timestamp)
        delay = now - time / TICK_RATE
        if self._newest is None:
            self._newest, self.zero = time, delay
        if (moved := self._moved(time, delay, now)) is not None:
            _log.info("a publisher's clock has moved by %.1f s", -moved)
            shift = round(moved * TICK_RATE)
            self._shift += shift
            time, delay = time + shift, delay - moved
            self._newest = time
            self._behind.clear()
            self._delays.clear()
        self._newest = max(self._newest, time)
        self._delays.append(delay)
        if not self._behind:
            self.zero = min(self._delays)
        return time

    def _moved(self, time: int, delay: float, now: float) -> float | None:
        """Seconds by which the clock has fallen behind, negative if it ran ahead; or ``None``."""
        assert self._newest is not None
        late = delay - self.zero
        back = (self._newest - time) / TICK_RATE
        if late < -EARLY_S or (back > BACK_S and late > BACK_S):
            return late
        if late <= PAUSED_S:
            self._behind.clear()
            return None
        self._behind.append((now, delay))
        if now - self._behind[0][0] < PAUSED_S:
            return None
        return min(delay for _, delay in self._behind) - self.zero

    def follow(self, other: RtpClock) -> None:
        """Take over another clock's timeline: what arrives together has the same time on both."""
        shift = round((self.zero - other.zero) * TICK_RATE)
        self._shift += shift
        self.zero = other.zero
        self._newest = None if self._newest is None else self._newest + shift
        self._behind.clear()
        delays = [delay - shift / TICK_RATE for delay in self._delays]
        self._delays.clear()
        self._delays.extend(delays)
        if self.report is not None:
            self.report = self.report[0], self.report[1] + shift

    def reported(self, ntp: int, timestamp: int) -> None:
        """Note a sender report: ``timestamp`` was at ``ntp`` (64 bits)."""
        self.report = (ntp / (1 << 32), self.ticks(timestamp))

    @property
    def zero_by_arrival(self) -> float | None:
        """The caller's time at which this clock's zero would have arrived, if any has."""
        return min(self._delays) if self._delays else None

    @property
    def zero_by_report(self) -> float | None:
        """The sender's wall time at this clock's zero, if it has reported."""
        return None if self.report is None else self.report[0] - self.report[1] / TICK_RATE


class Alignment:
    """Places pictures on the timeline of the sound.

    The sound is never moved. Until both streams have sent a report, what arrives together is
    taken to belong together; then the reports decide, and the picture is shifted gradually.

    Args:
        sound, picture: the two clocks.
    """

    def __init__(self, sound: RtpClock, picture: RtpClock) -> None:
        self._sound = sound
        self._picture = picture
        self._offset: int | None = None
        self._last = 0

    def use(self, sound: RtpClock, picture: RtpClock) -> None:
        """Go on with clocks that follow those it had."""
        self._sound, self._picture = sound, picture

    @property
    def aligned(self) -> bool:
        """Whether the offset rests on the sender's reports."""
        return self._sound.report is not None and self._picture.report is not None

    def place(self, ticks: int) -> int | None:
        """Where a picture is on the sound's clock.

        Args:
            ticks: its timestamp on the picture's clock; pictures come in order.

        Returns:
            Ticks on the sound's clock, or ``None`` while nothing is known of the sound.
        """
        target = self._target()
        if target is None:
            return None
        if self._offset is None or abs(target - self._offset) > JUMP:
            self._offset = target
        else:
            error = target - self._offset
            rate = FAST_SLEW if abs(error) > FAR_OFF else SLEW
            most = int(rate * max(0, ticks - self._last))
            self._offset += max(-most, min(most, error))
        self._last = ticks
        return ticks + self._offset

    def _target(self) -> int | None:
        sound, picture = self._sound.zero_by_report, self._picture.zero_by_report
        if sound is None or picture is None:
            sound, picture = self._sound.zero_by_arrival, self._picture.zero_by_arrival
        if sound is None or picture is None:
            return None
        return round((picture - sound) * TICK_RATE)
