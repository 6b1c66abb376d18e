"""Which of several translations to speak: the one that is good and fits.

References:
    S. Lakew, M. Federico, Y. Wang, C. Hoang, Y. Virkar, R. Barra-Chicote, R. Enyedi: Machine
    Translation Verbosity Control for Automatic Dubbing. ICASSP 2021,
    https://doi.org/10.1109/ICASSP39728.2021.9414411.

    S. Lakew, Y. Virkar, P. Mathur, M. Federico: Isometric MT: Neural Machine Translation for
    Automatic Dubbing. ICASSP 2022, https://doi.org/10.1109/ICASSP43922.2022.9747023. Hypotheses
    are ranked again by model score and length; here length is the spoken one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

COMFORTABLE = (0.9, 1.1)
"""Slowest and fastest speaking rate that is comfortable to listen to."""


def misfit(length: int, slot: int) -> float:
    """How far from a comfortable rate speech must be to fill its slot.

    Args:
        length: of the speech at rate 1, ticks.
        slot: ticks.

    Returns:
        Natural logarithm of the factor by which the rate is beyond ``COMFORTABLE``; 0 within.
    """
    rate = max(length, 1) / max(slot, 1)
    slowest, fastest = COMFORTABLE
    return max(0.0, math.log(rate / fastest), math.log(slowest / rate))


def choose(scores: Sequence[float], lengths: Sequence[int], slot: int, weight: float) -> int:
    """The translation to speak.

    Args:
        scores: of the translations, mean log-probability of a token.
        lengths: of their speech at rate 1, ticks.
        slot: ticks.
        weight: of ``misfit`` against the score; with 0 the best score is taken.

    Returns:
        Its index; among equals the first.
    """
    costs = [
        weight * misfit(length, slot) - score for score, length in zip(scores, lengths, strict=True)
    ]
    return costs.index(min(costs))
