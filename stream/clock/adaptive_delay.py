"""The delay that fits: longer when dubs come late, shorter when they long come early."""

from __future__ import annotations

from collections import deque

from stream.clock.playout_clock import PlayoutClock

HEADROOM = 0.5
"""Seconds that a dub should be ready before its time."""

REMEMBERED = 20
"""Dubs that must all have come early before the delay shrinks."""

STEP = 0.25
"""Seconds by which it shrinks at a time, and grows when nobody knows by how much a dub failed."""


class AdaptiveDelay:
    """Moves a clock's delay between two bounds; the clock turns moves into a slow change of pace.

    Args:
        clock: whose ``delay`` is set.
        shortest, longest: bounds, seconds.
    """

    def __init__(self, clock: PlayoutClock, shortest: float, longest: float) -> None:
        self._clock = clock
        self._shortest, self._longest = shortest, longest
        self._needed: deque[float] = deque(maxlen=REMEMBERED)

    def dubbed(self, needed: float) -> None:
        """A dub's first sample was ready ``needed`` seconds after its speaker began."""
        self._needed.append(needed)
        wanted = max(self._needed) + HEADROOM
        delay = self._clock.delay
        if needed > delay:
            delay = needed + HEADROOM
        elif len(self._needed) == REMEMBERED and wanted < delay:
            delay = max(wanted, delay - STEP)
            self._needed.clear()
        self._set(delay)

    def dropped(self) -> None:
        """A dub came too late to be heard at all."""
        self._needed.clear()
        self._set(self._clock.delay + STEP)

    def _set(self, delay: float) -> None:
        self._clock.delay = min(max(delay, self._shortest), self._longest)
