"""Load shedding: which dubs are begun when the voice cannot keep up with the speaker.

A voice that is only a little too slow makes every dub late, since each waits for the one before;
in the end time runs out in the middle of most, and the work spent on them is lost. Leaving some
out keeps the others on time (Welsh, Culler: Adaptive Overload Control, USITS 2003).
"""

from __future__ import annotations

from stream.dub.lateness import Lateness

SHORTEST_S = 0.5
"""Less speech takes hardly less time to synthesise."""

EASE_S = 0.25
"""Wall time to spare."""

MEMORY = 0.25
"""Weight of the newest measurement."""

HOPE = 0.95
"""Factor on the learnt pace with each dub left out: a voice that was slow once is tried again."""


class Admission:
    """Learns how long a voice takes, and tells what is not worth beginning.

    Args:
        lateness: how late a dub may be.
    """

    def __init__(self, lateness: Lateness) -> None:
        self._lateness = lateness
        self._pace = 0.0

    def observe(self, speech: float, took: float) -> None:
        """The first sound of ``speech`` seconds took ``took`` wall seconds."""
        measured = took / max(speech, SHORTEST_S)
        self._pace = measured if not self._pace else self._pace + MEMORY * (measured - self._pace)

    def affords(self, speech: float, left: float) -> bool:
        """Whether ``speech`` seconds can be made within ``left`` wall seconds, with ease."""
        return self._pace * max(speech, SHORTEST_S) <= left - EASE_S

    def admits(self, speech: float, left: float, *, followed: bool) -> bool:
        """Whether to begin a dub.

        Args:
            speech: seconds that it is expected to last.
            left: wall seconds until its time.
            followed: whether the next one waits.
        """
        late = self._pace * max(speech, SHORTEST_S) - left
        admitted = self._lateness.admits(late, followed=followed)
        if not admitted:
            self._pace *= HOPE
        return admitted
