"""The playout clock of a live source: when the viewer sees each media time.

A live source keeps its own clock, and the network adds jitter. The clock watches when media
arrives, takes the promptest arrivals as the source's true pace, and puts the viewer a fixed
delay behind that. It follows drift, and a changed delay, by running a little faster or slower,
never by a jump: media times stay as they are, only their moment moves. The one exception is
a source that falls behind for good, where the picture has to stand still once.
"""

from __future__ import annotations

import math
from collections import deque

from stream.timeline import TICK_RATE

SLEW = 0.02
"""Share of its pace by which the viewer may be faster or slower than the source."""

WINDOW_S = 4.0
"""The promptest arrival within this window counts."""

LOST_S = 1.0
"""A source that is late by more than this all through the window will not catch up."""

STALL_S = 0.1
"""A longer pause between arrivals does not age what was seen before it."""


class PlayoutClock:
    """Pure arithmetic on event-loop times that the caller passes in.

    Args:
        delay: seconds from media's arrival to the viewer.
    """

    def __init__(self, delay: float) -> None:
        self.delay = delay
        """Seconds that the viewer should be behind; may be changed at any time."""
        self.may_hurry = True
        """Whether a shorter delay may be made up for now: not while somebody speaks."""
        self.restarts = 0
        """How often the source fell behind for good."""
        self._arrivals: deque[tuple[float, float]] = deque()  # (activity time, wall - media)
        self._activity = 0.0
        self._observed = 0.0
        self._moved = 0.0
        self._source = math.inf  # followed wall time of media time 0's arrival
        self._behind = delay  # seconds that the viewer is behind now

    @property
    def anchored(self) -> bool:
        """Whether anything has arrived yet."""
        return bool(self._arrivals)

    @property
    def behind(self) -> float:
        """Seconds that the viewer is behind the source at the moment."""
        return self._behind

    def observe(self, now: float, time: int) -> None:
        """Media up to ``time`` ticks arrived at ``now``."""
        if self.anchored:
            self._activity += min(now - self._observed, STALL_S)
        else:
            self._moved = now
        self._observed = now
        offset = now - time / TICK_RATE
        while self._arrivals and self._arrivals[-1][1] >= offset:
            self._arrivals.pop()
        self._arrivals.append((self._activity, offset))
        while self._arrivals[0][0] < self._activity - WINDOW_S:
            self._arrivals.popleft()
        self.advance(now)

    def arrival(self, time: int) -> float:
        """The time at which media time ``time`` arrives; infinite before anything arrived."""
        return self._source + time / TICK_RATE

    def arriving(self, now: float) -> int:
        """The media time, ticks, that arrives at ``now``; 0 before anything has."""
        return round((now - self._source) * TICK_RATE) if self.anchored else 0

    def due(self, time: int) -> float:
        """The time at which the viewer sees ``time`` ticks; infinite before anything arrived."""
        return self.arrival(time) + self._behind

    def advance(self, now: float) -> None:
        """Let the viewer's pace follow the source and the delay up to ``now``."""
        if not self.anchored:
            return
        most = SLEW * max(0.0, now - self._moved)
        self._moved = max(now, self._moved)
        source = self._arrivals[0][1]
        if now < self._source + self._behind or math.isinf(self._source):
            # Nobody has seen anything yet.
            self._source, self._behind = source, self.delay
            return
        if source - self._source > LOST_S:
            self._source = source
            self.restarts += 1
        self._source += min(max(source - self._source, -most), most)
        least = -most if self.may_hurry else 0.0
        self._behind += min(max(self.delay - self._behind, least), most)
