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
    """

    interval: Interval
    tempo: float
    borrowed: int
    shift: int
    truncated: int


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
    room = max(slot.end, start) - start
    if duration <= room:
        tempo = max(duration / room, options.min_tempo) if room else 1.0
        end = min(start + round(duration / tempo), start + room)
        return Placement(Interval(start, end), tempo, 0, start - slot.start, 0)

    free = free_until - ticks(options.breath)
    limit = max(slot.end, min(free, slot.end + ticks(options.borrow)), start)
    tempo = (
        min(max(duration / (limit - start), 1.0), options.max_tempo)
        if limit > start
        else (options.max_tempo)
    )
    end = start + round(duration / tempo)
    # What overruns pushes the next dub back, so the push is bounded from the end of the
    # silence: drift cannot accumulate from one utterance to the next.
    hard_end = max(limit + ticks(options.shift), start)
    truncated = max(0, end - hard_end)
    end -= truncated
    return Placement(
        Interval(start, end), tempo, max(0, end - slot.end), start - slot.start, truncated
    )
