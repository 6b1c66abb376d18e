"""Which dubs are begun where more is said than the voice can say: those that can be in time.

A voice that is only a little too slow makes every dub late, since each waits for the one before; in
the end time runs out in the middle of most, and what was spent on them is lost. Leaving some out
keeps the others in time (load shedding: Welsh, Culler, USITS 2003).
"""

from __future__ import annotations

TOLERABLE = 0.2
"""Seconds by which a dub may be late although the next one waits."""

SHORTEST = 0.5
"""Seconds; less speech takes hardly less time to make."""

EASE = 0.25
"""Wall seconds to spare."""

MEMORY = 0.25
"""Weight of the newest measurement."""

HOPE = 0.95
"""Factor of the learnt pace with each dub left out: a voice that was slow once is tried again."""


class Admission:
    """Learns how long a voice takes, and tells what is not worth beginning.

    Args:
        max_late: seconds after its time at which a dub is given up in any case.
    """

    def __init__(self, max_late: float) -> None:
        self._max_late = max_late
        self._pace = 0.0

    def observe(self, speech: float, took: float) -> None:
        """The first sound of ``speech`` seconds took ``took`` wall seconds."""
        measured = took / max(speech, SHORTEST)
        self._pace = measured if not self._pace else self._pace + MEMORY * (measured - self._pace)

    def affords(self, speech: float, left: float) -> bool:
        """Whether ``speech`` seconds can be made within ``left`` wall seconds, with ease."""
        return self._pace * max(speech, SHORTEST) <= left - EASE

    def admits(self, speech: float, left: float, *, followed: bool) -> bool:
        """Whether to begin a dub.

        Args:
            speech: seconds that it is expected to last.
            left: wall seconds until its time.
            followed: whether the next one waits.
        """
        late = self._pace * max(speech, SHORTEST) - left
        admitted = late <= (min(TOLERABLE, self._max_late) if followed else self._max_late)
        if not admitted:
            self._pace *= HOPE
        return admitted
