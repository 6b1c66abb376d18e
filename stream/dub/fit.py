"""Isochrony: fitting synthesised speech to the slot of the speech it replaces.

Measures are taken in a fixed order, and only as far as needed: the engine's own speaking
rate, a tempo change too small to notice, silence borrowed after the slot, more tempo change, a
shift into the next slot, and as the last resort truncation. Each is counted in the result.
A strategy is a set of limits that leaves some of the measures out.

Listeners put naturalness before exact overlap (Brannon, Virkar & Thompson, "Dubbing in
Practice", TACL 2023, arXiv 2212.12137), hence the narrow limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

import annotated_types as at

from stream.timeline import Interval, ticks

Strategy = Literal["combined", "rate", "borrow", "segment", "chunk", "global"]
"""Which measures are taken: all, the engine's rate alone, borrowed silence alone, or tempo
alone, which is chosen for each utterance, each piece of speech, or all that was spoken."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """Limits of each measure; lengths in seconds, rates and tempos as factors."""

    __pydantic_config__ = {"extra": "forbid"}

    strategy: Strategy = "combined"
    min_rate: Annotated[float, at.Ge(0.5), at.Le(1)] = 0.85
    max_rate: Annotated[float, at.Ge(1), at.Le(2)] = 1.3
    borrow: Annotated[float, at.Ge(0), at.Le(10)] = 1.0
    breath: Annotated[float, at.Ge(0), at.Le(1)] = 0.15
    easy_tempo: Annotated[float, at.Ge(1), at.Le(2)] = 1.05
    min_tempo: Annotated[float, at.Ge(0.5), at.Le(1)] = 0.92
    max_tempo: Annotated[float, at.Ge(1), at.Le(2)] = 1.25
    shift: Annotated[float, at.Ge(0), at.Le(5)] = 0.6
    pauses: bool = False


_LEFT_OUT: Mapping[Strategy, Mapping[str, Any]] = MappingProxyType(
    {
        "combined": {},
        "rate": {"borrow": 0.0, "min_tempo": 1.0, "easy_tempo": 1.0, "max_tempo": 1.0},
        "borrow": {"min_rate": 1.0, "max_rate": 1.0}
        | {"min_tempo": 1.0, "easy_tempo": 1.0, "max_tempo": 1.0},
        "segment": {"min_rate": 1.0, "max_rate": 1.0, "borrow": 0.0},
        "chunk": {"min_rate": 1.0, "max_rate": 1.0, "borrow": 0.0},
        "global": {"min_rate": 1.0, "max_rate": 1.0, "borrow": 0.0},
    }
)


def limits(options: FitOptions) -> FitOptions:
    """The configured limits as far as the strategy leaves them."""
    return replace(options, **_LEFT_OUT[options.strategy])


@dataclass(slots=True)
class OneTempo:
    """The tempo at which all speech so far would have filled all slots so far."""

    spoken: int = 0
    slots: int = 0

    def apply(self, duration: int, slot: Interval, options: FitOptions) -> FitOptions:
        """Take in one utterance's speech and slot, ticks; limits with the one tempo in them."""
        self.spoken += duration
        self.slots += slot.duration
        needed = self.spoken / max(self.slots, 1)
        tempo = min(max(needed, options.min_tempo), options.max_tempo)
        return replace(options, min_tempo=tempo, easy_tempo=tempo, max_tempo=tempo)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a dub is played.

    Attributes:
        interval: media interval of the dub, ticks.
        tempo: factor by which the synthesised speech is sped up.
        borrowed: ticks of the silence after the slot that the dub uses.
        shift: ticks that the dub starts after its slot does.
        truncated: ticks of (already sped-up) speech that did not fit.
        latest: media time at which the dub ends at the latest, should it turn out longer.
    """

    interval: Interval
    tempo: float
    borrowed: int
    shift: int
    truncated: int
    latest: int


def speaking_rate(expected: int, slot: Interval, options: FitOptions) -> float:
    """Rate to ask of the engine so that speech of ``expected`` ticks fills the slot."""
    if slot.duration <= 0:
        return options.max_rate
    return min(max(expected / slot.duration, options.min_rate), options.max_rate)


def place(
    duration: int, slot: Interval, *, earliest: int, free_until: int, options: FitOptions
) -> Placement:
    """Place speech of ``duration`` ticks in its slot.

    Args:
        duration: length of the speech as synthesised, ticks.
        slot: the source utterance's interval.
        earliest: media time before which it cannot start: the end of the previous dub.
        free_until: media time up to which silence is known to follow the slot; speech may
            begin there. Nothing may be borrowed beyond it less a breath.
        options: the limits.
    """
    start = max(slot.start, earliest)
    room = max(0, slot.end - start)
    free = free_until - ticks(options.breath)
    limit = max(start, slot.end, min(free, slot.end + ticks(options.borrow)))
    # What overruns pushes the next dub back, so the push is bounded from the end of the
    # silence: drift cannot accumulate from one utterance to the next.
    latest = limit + ticks(options.shift)
    if room and duration <= room:
        tempo = duration / room
    elif limit > start:
        # What is not noticed comes before what is, then silence is used before speed.
        easy = min(duration / max(room, 1), options.easy_tempo)
        tempo = max(duration / (limit - start), easy)
    else:
        tempo = options.max_tempo
    tempo = min(max(tempo, options.min_tempo), options.max_tempo)
    end = start + round(duration / tempo)
    truncated = max(0, end - latest)
    interval = Interval(start, end - truncated)
    borrowed = max(0, interval.end - slot.end)
    return Placement(interval, tempo, borrowed, start - slot.start, truncated, latest)
