"""The choice among several takes of one text. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stages.tts.xtts.hallucinated_tail import Fault


@dataclass(frozen=True, slots=True)
class Take:
    """One of several ways in which a model has said a text.

    Attributes:
        codes: audio codes, without the stop code.
        seconds: length at the rate it is spoken.
        likelihood: natural logarithm of the probability of its codes.
        fault: what is wrong with it.
    """

    codes: tuple[int, ...]
    seconds: float
    likelihood: float
    fault: Fault | None


def best_take(takes: Sequence[Take], room: float | None, length_penalty: float) -> int | None:
    """Index of the take to use, or ``None`` if all have faults.

    With a slot to fill it is the take nearest to its length, whether longer or shorter; else the
    most likely one, its log-likelihood divided by length to the power ``length_penalty`` as beam
    search does (Wu et al. 2016, arXiv 1609.08144): above 0 favours long takes, below 0 short ones.

    Args:
        takes: at least one.
        room: seconds that the take should last, if that is known.
        length_penalty: exponent.
    """
    sound = [index for index, take in enumerate(takes) if take.fault is None and take.codes]
    if not sound:
        return None
    if room is not None and room > 0:
        return min(sound, key=lambda i: abs(math.log(max(takes[i].seconds, 0.01) / room)))
    return max(sound, key=lambda i: takes[i].likelihood / len(takes[i].codes) ** length_penalty)


def least_bad(takes: Sequence[Take], expected: float) -> int:
    """Index of the take to cut where all have faults: the one nearest to the expected length."""
    return min(
        range(len(takes)),
        key=lambda i: abs(math.log(max(takes[i].seconds, 0.01) / max(expected, 0.01))),
    )


def share_of(room: float | None, portion: str, text: str) -> float | None:
    """Seconds of ``room`` for a portion of a text, by its share of the characters."""
    if room is None or not text:
        return None
    return room * min(1.0, len(portion) / len(text))
