"""How long a voice takes to say a text: a model that learns from what it has spoken."""

from __future__ import annotations

from collections import deque
from copy import copy

from stream.timeline import TICK_RATE


class DurationModel:
    """Predicts spoken length from the count of letters, digits and pauses.

    Starts from the voice's typical speed and moves towards each measured utterance with an
    exponential average, so that after a few utterances the speaking rate asked of the
    engine already fills the slot and little is left to tempo change.

    Args:
        characters_per_second: of the voice at rate 1.
        memory: weight of a new measurement of a sentence of usual length.
    """

    def __init__(self, characters_per_second: float, memory: float = 0.25) -> None:
        self._seconds_per_unit = 1 / characters_per_second
        self._memory = memory

    @property
    def characters_per_second(self) -> float:
        """Speed of the voice at rate 1, as far as is known."""
        return 1 / self._seconds_per_unit

    def expected(self, text: str) -> int:
        """Ticks that ``text`` takes at rate 1."""
        return round(_units(text) * self._seconds_per_unit * TICK_RATE)

    def snapshot(self) -> DurationModel:
        """What is known by now, which does not learn."""
        return copy(self)

    def observe(self, text: str, duration: int, rate: float) -> None:
        """Learn that ``text`` took ``duration`` ticks when spoken at ``rate``."""
        units = _units(text)
        if units <= 0 or duration <= 0:
            return
        measured = duration * rate / TICK_RATE / units
        weight = self._memory * min(1.0, units / 40)
        self._seconds_per_unit += weight * (measured - self._seconds_per_unit)


class Hindsight:
    """What was known of a voice some utterances ago, however many have been spoken by now.

    Whoever works ahead of the voice then finds the same, however fast either is, and a file is
    dubbed the same on every run.

    Args:
        model: that learns.
        behind: utterances.
    """

    def __init__(self, model: DurationModel, behind: int) -> None:
        self._model = model
        self._behind = behind
        self._known = deque([model.snapshot()], maxlen=behind + 1)
        self._spoken = 0

    def spoken(self) -> None:
        """One more utterance is through."""
        self._spoken += 1
        self._known.append(self._model.snapshot())

    def before(self, number: int) -> DurationModel:
        """What was known when all but ``behind`` of the utterances before a number were through.

        Args:
            number: from 0; no more than ``behind`` of those before it may still be under way.
        """
        oldest = self._spoken - (len(self._known) - 1)
        return self._known[max(0, number - self._behind) - oldest]


def _units(text: str) -> float:
    """Characters as a measure of spoken length: a digit is a word, punctuation is a pause."""
    total = 0.0
    for character in text.strip(" .!?…"):
        if character.isdigit():
            total += 4
        elif character in ",;:—–":
            total += 3
        elif character in ".!?…":
            total += 5
        elif character.isalpha() or character.isspace():
            total += 1
    return total
