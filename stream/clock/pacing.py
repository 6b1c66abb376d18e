"""Wall time's only way in: when the source may go on, and when a frame is due."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from stream.clock.playout_clock import PlayoutClock
from stream.timeline import TICK_RATE


class Pacing(Protocol):
    """Relates media time to the wall clock of the running event loop."""

    live: bool
    """Whether playout keeps to the clock, so that a dub can be late."""
    running: bool
    """Whether playout goes on even where the source has delivered nothing."""

    def start(self) -> None:
        """Media time 0 is now."""
        ...

    async def source(self, time: int) -> None:
        """Wait until the source may deliver what ends at media time ``time``, ticks."""
        ...

    def time_left(self, time: int) -> float:
        """Wall seconds until the viewer sees ``time``; infinite where nobody watches."""
        ...

    def since(self, time: int) -> float | None:
        """Wall seconds since the source reached ``time``; ``None`` where it has no pace."""
        ...


class Offline:
    """As fast as the machine allows: playout waits for every dub, and none is late."""

    live = False
    running = False

    def start(self) -> None:
        """Nothing to anchor."""

    async def source(self, time: int) -> None:
        """The source is never held back but by full buffers."""

    def time_left(self, time: int) -> float:
        """There is always time."""
        return math.inf

    def since(self, time: int) -> None:
        """The source has no pace."""


class RealTime:
    """The source at its own pace, the viewer ``delay`` seconds behind it."""

    live = True
    running = False

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._zero = 0.0

    def start(self) -> None:
        """Anchor media time 0 to the loop's clock."""
        self._zero = asyncio.get_running_loop().time()

    async def source(self, time: int) -> None:
        """Hold the source to one media second a second."""
        left = self._zero + time / TICK_RATE - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def time_left(self, time: int) -> float:
        """Wall seconds until the viewer sees ``time``; negative once it was seen."""
        now = asyncio.get_running_loop().time()
        return self._zero + self._delay + time / TICK_RATE - now

    def since(self, time: int) -> float:
        """Wall seconds since the source reached ``time``."""
        return self._delay - self.time_left(time)


class Live:
    """``Pacing`` by a ``PlayoutClock`` on the running loop's time."""

    live = True
    running = True

    def __init__(self, clock: PlayoutClock) -> None:
        self._clock = clock

    def start(self) -> None:
        """The first arrival anchors the clock."""

    async def source(self, time: int) -> None:
        """A live source is never held back; its arrival is noted."""
        self._clock.observe(asyncio.get_running_loop().time(), time)

    def time_left(self, time: int) -> float:
        """Wall seconds until the viewer sees ``time``; negative once it was seen."""
        now = asyncio.get_running_loop().time()
        self._clock.advance(now)
        return self._clock.due(time) - now

    def since(self, time: int) -> float:
        """Wall seconds since the source reached ``time``."""
        return asyncio.get_running_loop().time() - self._clock.arrival(time)
