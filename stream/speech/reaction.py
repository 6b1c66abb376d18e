"""How long recognition takes, and how much sooner long speech is cut for that. Pure."""

from __future__ import annotations

USUAL_S = 0.25
"""What a call takes where the longest unit is just in time."""

SHORT_S = 1.5
"""A unit that gets so long is not cut before, however slow recognition is."""

NEWEST_WEIGHT = 0.3
"""Of the newest call in what calls take."""


class Reaction:
    """The calls of one stream's recogniser.

    Args:
        longest: seconds of a unit, where calls take no longer than usual.
    """

    def __init__(self, longest: float) -> None:
        self._spare = max(longest - SHORT_S, 0.0)
        self._usual: float | None = None
        self.last = 0.0
        """Wall seconds that the newest call took."""

    def took(self, seconds: float) -> None:
        """A call has been answered after so many wall seconds."""
        usual = seconds if self._usual is None else self._usual
        self._usual = usual + NEWEST_WEIGHT * (seconds - usual)
        self.last = seconds

    @property
    def ahead(self) -> float:
        """Seconds before the longest unit at which a cut is due."""
        return min(max((self._usual or 0.0) - USUAL_S, 0.0), self._spare)
