"""An adaptive delay: longer when dubs are late, shorter once they have been early for a while."""

from __future__ import annotations

from collections import deque

from stream.clock.playout_clock import PlayoutClock

HEADROOM_S = 0.5
"""A dub should be ready this long before its time."""

REMEMBERED = 20
"""Dubs that must all have come early before the delay shrinks."""

STEP_S = 0.25
"""The delay shrinks by this at a time, and grows by it where nobody knows how late a dub was."""


class AdaptiveDelay:
    """Moves a clock's delay between two bounds; the clock makes each a slow change of pace.

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
        wanted = max(self._needed) + HEADROOM_S
        delay = self._clock.delay
        if needed > delay:
            delay = needed + HEADROOM_S
        elif len(self._needed) == REMEMBERED and wanted < delay:
            delay = max(wanted, delay - STEP_S)
            self._needed.clear()
        self._set(delay)

    def dropped(self) -> None:
        """A dub came too late to be heard at all."""
        self._needed.clear()
        self._set(self._clock.delay + STEP_S)

    def _set(self, delay: float) -> None:
        self._clock.delay = min(max(delay, self._shortest), self._longest)
