"""How long a voice takes to say a text: a model that learns from what it has spoken."""

from __future__ import annotations

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

    def expected(self, text: str) -> int:
        """Ticks that ``text`` takes at rate 1."""
        return round(_units(text) * self._seconds_per_unit * TICK_RATE)

    def observe(self, text: str, duration: int, rate: float) -> None:
        """Learn that ``text`` took ``duration`` ticks when spoken at ``rate``."""
        units = _units(text)
        if units <= 0 or duration <= 0:
            return
        measured = duration * rate / TICK_RATE / units
        weight = self._memory * min(1.0, units / 40)
        self._seconds_per_unit += weight * (measured - self._seconds_per_unit)


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
