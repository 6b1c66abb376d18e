"""Isochrony: fitting synthesised speech to the slot of the speech it replaces.

Measures are taken in a fixed order, and only as far as needed: the engine's own speaking
rate, silence borrowed after the slot, tempo change, a shift into the next slot, and as the
last resort truncation. Each is counted in the result.

Listeners put naturalness before exact overlap (Brannon, Virkar & Thompson, "Dubbing in
Practice", TACL 2023, arXiv 2212.12137), hence the narrow limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at

from stream.timeline import Interval, ticks


@dataclass(frozen=True, slots=True)
class FitOptions:
    """Limits of each measure; lengths in seconds, rates and tempos as factors."""

    __pydantic_config__ = {"extra": "forbid"}

    min_rate: Annotated[float, at.Ge(0.5), at.Le(1)] = 0.85
    max_rate: Annotated[float, at.Ge(1), at.Le(2)] = 1.3
    borrow: Annotated[float, at.Ge(0), at.Le(10)] = 1.0
    breath: Annotated[float, at.Ge(0), at.Le(1)] = 0.15
    min_tempo: Annotated[float, at.Ge(0.5), at.Le(1)] = 0.92
    max_tempo: Annotated[float, at.Ge(1), at.Le(2)] = 1.25
    shift: Annotated[float, at.Ge(0), at.Le(5)] = 0.6


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
        tempo = max(duration / room, options.min_tempo)
    elif limit > start:
        tempo = min(max(duration / (limit - start), 1.0), options.max_tempo)
    else:
        tempo = options.max_tempo
    end = start + round(duration / tempo)
    truncated = max(0, end - latest)
    interval = Interval(start, end - truncated)
    borrowed = max(0, interval.end - slot.end)
    return Placement(interval, tempo, borrowed, start - slot.start, truncated, latest)
