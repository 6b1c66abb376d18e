"""What counts as late: every limit on time that a dub is held to."""

from __future__ import annotations

from dataclasses import dataclass

from stream.frames import Fate
from stream.timeline import seconds


@dataclass(frozen=True, slots=True)
class Lateness:
    """Limits on a dub's time, all in seconds.

    Attributes:
        on_time: a dub is on time if its first noticeable sample is heard within this of its
            utterance's start.
        tolerable: a dub may be late by this although the next one waits.
        commit: before its time by this, a dub that is still being made is placed by its expected
            length.
        patience: silence inside a dub after which no more of it is expected.
        max_late: after its time by this, a dub is given up.
    """

    on_time: float = 0.08
    tolerable: float = 0.2
    commit: float = 0.4
    patience: float = 0.5
    max_late: float = 1.5

    def fate(self, onset_error: int) -> Fate:
        """Of a dub that was heard ``onset_error`` ticks after its utterance's start."""
        return Fate.ON_TIME if abs(seconds(onset_error)) <= self.on_time else Fate.LATE

    def worth(self, left: float) -> float:
        """Wall seconds for which work is worth while, ``left`` seconds before a dub's time."""
        return left + self.max_late

    def hopeless(self, late: int) -> bool:
        """Whether a dub that would begin ``late`` ticks after its time is given up."""
        return seconds(late) > self.max_late

    def admits(self, late: float, *, followed: bool) -> bool:
        """Whether a dub expected to be ``late`` seconds late is begun; ``followed`` by another."""
        return late <= (min(self.tolerable, self.max_late) if followed else self.max_late)
