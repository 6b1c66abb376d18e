"""What autoregressive voices add after the text's end, found in their codes and their sound.

Such a model ends when it samples a stop code. Where it misses that, it loops, holds a sound, or
goes on in words that nobody wrote. None of this can be told from one code, so three measures are
taken together: repetition in the codes, length against what the text should take, and a pause
where the text must be over. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_LONGEST_PERIOD_CODES = 8
_SHORTEST_LOOP_CODES = 12
"""Codes (0.56 s in XTTS) that a repetition must last, and hold its cycle three times."""
_CYCLES = 3
_TOO_LONG = 2.0
_TOO_SHORT = 0.3
_SLACK_S = 1.0
"""Seconds allowed beyond ``_TOO_LONG`` times the expected length: short texts vary most."""
_OVER_FROM = 0.8
_OVER_SURELY = 1.25
_END_PAUSE_S = 0.35
"""Seconds of silence that end a text whose words must have been said."""


class Fault(StrEnum):
    """What is wrong with a take."""

    LOOP = "loop"
    TOO_LONG = "too long"
    TOO_SHORT = "too short"


def loop_start(codes: Sequence[int]) -> int | None:
    """Where the codes begin to repeat themselves up to their end, after the first cycle.

    Args:
        codes: what the model has sampled so far, without its stop code.

    Returns:
        How many codes to keep, or ``None`` if they do not end in a loop.
    """
    count = len(codes)
    for period in range(1, _LONGEST_PERIOD_CODES + 1):
        same = 0
        while same < count - period and codes[count - 1 - same] == codes[count - 1 - same - period]:
            same += 1
        if same + period >= max(_SHORTEST_LOOP_CODES, _CYCLES * period) and same:
            return count - same
    return None


def longest(expected: float) -> float:
    """Seconds beyond which speech cannot be that of a text expected to take ``expected``."""
    return _TOO_LONG * expected + _SLACK_S


def fault(codes: Sequence[int], seconds: float, expected: float, *, ended: bool) -> Fault | None:
    """What is wrong with a complete take, if anything.

    Args:
        codes: all that was sampled, without the stop code.
        seconds: their length at rate 1.
        expected: length of the text at rate 1, seconds.
        ended: whether the model ended it, rather than the limit.
    """
    if loop_start(codes) is not None:
        return Fault.LOOP
    if seconds > longest(expected) or not ended:
        return Fault.TOO_LONG
    if seconds < _TOO_SHORT * expected:
        return Fault.TOO_SHORT
    return None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a text has been spoken, at the rate it is spoken.

    Attributes:
        spoken: seconds up to the end of the last sound.
        pauses: breaks of at least a clause's length among them.
        silence: seconds since that sound.
    """

    spoken: float
    pauses: int
    silence: float


def is_over(progress: Progress, expected: float, clause_ends: int) -> bool:
    """Whether all of a text must have been said, so that what comes now is none of it.

    That is so after a long pause near or beyond the expected end, if the text has no comma
    left that could explain the pause.

    Args:
        progress: so far.
        expected: length of the text at the rate it is spoken, seconds.
        clause_ends: places inside the text where a speaker may pause.
    """
    if progress.silence < _END_PAUSE_S or progress.spoken < _OVER_FROM * expected:
        return False
    return progress.pauses >= clause_ends or progress.spoken >= _OVER_SURELY * expected
