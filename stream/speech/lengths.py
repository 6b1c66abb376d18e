"""How long utterances and their pauses may be, as configured and as the delay allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import annotated_types as at

from stream.speech.cuts import to_samples

SOFT = 0.65
"""Of the longest utterance, from where on one is cut at the end of a clause."""

SLOWED = 1.25
"""By so much synthesis takes longer while recognition of the next utterance has the other core."""


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """How speech is cut into utterances; all times in seconds."""

    __pydantic_config__ = {"extra": "forbid"}

    onset: Annotated[float, at.Gt(0), at.Lt(1)] = 0.5
    offset: Annotated[float, at.Gt(0), at.Lt(1)] = 0.35
    pause: Annotated[float, at.Ge(0.1), at.Le(3)] = 0.5
    padding: Annotated[float, at.Ge(0), at.Le(0.5)] = 0.15
    min_speech: Annotated[float, at.Ge(0), at.Le(2)] = 0.25
    breath_gap: Annotated[float, at.Ge(0.06), at.Le(1)] = 0.16
    soft_length: Annotated[float, at.Ge(1), at.Le(25)] = 6.0
    max_length: Annotated[float, at.Ge(1.5), at.Le(25)] = 10.0
    early_pause: Annotated[float, at.Ge(0.1), at.Le(3)] = 0.3
    late_pause: Annotated[float, at.Ge(0.1), at.Le(3)] = 0.9


class Lengths:
    """The lengths of the options, and of the context, in samples."""

    def __init__(self, options: SegmentOptions, context: float, near: float) -> None:
        self.context = to_samples(context)
        self.near = to_samples(near)
        self.pause = to_samples(options.pause)
        self.late_pause = to_samples(options.late_pause)
        self.padding = to_samples(options.padding)
        self.min_speech = to_samples(options.min_speech)
        self.breath_gap = to_samples(options.breath_gap)
        self.soft = to_samples(options.soft_length)
        self.longest = to_samples(options.max_length)


def within_delay(
    options: SegmentOptions, delay: float, pace: float, reaction: float
) -> SegmentOptions:
    """Utterance lengths that leave the stages time to work within the delay.

    An utterance of length L is translated ``reaction`` after its end. Synthesis then takes
    ``pace`` L, ``SLOWED``; all that must stay below the delay.

    Args:
        options: as configured; lengths are only ever shortened.
        delay: seconds that the viewer is behind.
        pace: seconds that the synthesiser takes for a second of speech.
        reaction: seconds from the end of speech to its translation.
    """
    longest = max((delay - reaction) / (1 + SLOWED * pace), 1.5)
    if options.max_length <= longest:
        return options
    soft = max(1.0, min(options.soft_length, SOFT * longest))
    return replace(options, max_length=longest, soft_length=soft)


def delay_for(length: float, pace: float, reaction: float) -> float:
    """The delay in seconds at which ``within_delay`` allows utterances of ``length`` seconds."""
    return reaction + length * (1 + SLOWED * pace)
