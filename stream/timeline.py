"""The media timeline: integer ticks counted from the source's first timestamp.

One tick is one sample at 48 kHz, so audio positions, packet timestamps and utterance
slots are integers in one unit and never accumulate rounding errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

TICK_RATE = 48_000
"""Ticks per second."""

TICK = Fraction(1, TICK_RATE)
"""The timeline's time base."""

FRAME = TICK_RATE // 50
"""Ticks in one playout frame (20 ms)."""

END_OF_TIME = 1 << 62
"""Later than any media time: the horizon once a source has ended."""


def rescale(value: int, source: Fraction, target: Fraction) -> int:
    """Convert a count of ``source`` units into ``target`` units, halves rounded up.

    Args:
        value: a timestamp or duration in units of ``source`` seconds.
        source: seconds per unit of ``value``.
        target: seconds per unit of the result.
    """
    numerator = value * source.numerator * target.denominator
    denominator = source.denominator * target.numerator
    return (2 * numerator + denominator) // (2 * denominator)


def seconds(ticks: int) -> float:
    """Ticks as seconds, for people and for models; never fed back into the timeline."""
    return ticks / TICK_RATE


def ticks(seconds_: float) -> int:
    """The tick nearest to a duration in seconds."""
    return round(seconds_ * TICK_RATE)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open stretch of media time ``[start, end)`` in ticks.

    Raises:
        ValueError: if ``end`` is before ``start``.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"an interval cannot end ({self.end}) before it starts ({self.start})")

    @property
    def duration(self) -> int:
        """Length in ticks."""
        return self.end - self.start

    def overlap(self, other: Interval) -> int:
        """Ticks that both intervals cover."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def shifted(self, by: int) -> Interval:
        """The same interval ``by`` ticks later."""
        return Interval(self.start + by, self.end + by)
