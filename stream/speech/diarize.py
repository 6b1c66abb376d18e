"""Who speaks: utterances sorted by voice as they come, without knowing how many speakers there are.

The sorting sees embeddings alone; it has no model, no clock and no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import annotated_types as at
import numpy as np

from stream.frames import Embedding

SHORTEST_S = 1.6
"""From this much speech on, an embedding can be trusted with a new speaker."""


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """How voices are told apart."""

    __pydantic_config__ = {"extra": "forbid"}

    threshold: Annotated[float, at.Gt(0), at.Lt(1)] = 0.7
    max: Annotated[int, at.Ge(1), at.Le(64)] = 8


class Diarizer:
    """Labels voices S1, S2, ... in the order in which they first speak.

    A voice belongs to the speaker whose mean it is nearest to, if it is near enough; otherwise
    it founds a speaker, unless there are ``max``. Where every two utterances of a speaker are
    nearer to each other than the threshold, and those of different speakers farther, the
    sorting is theirs in whatever order they speak. Speech under ``SHORTEST_S`` neither founds a
    speaker nor moves one's mean.

    Args:
        options: how near is near enough, and how many speakers there may be.
    """

    def __init__(self, options: SpeakerOptions) -> None:
        self._options = options
        self._sums: list[Embedding] = []
        self.last = "S1"
        """Who spoke last: the label of an utterance whose voice is not known."""

    @property
    def speakers(self) -> tuple[str, ...]:
        """Every label given so far, but for the first utterance's if nothing founded it."""
        return tuple(f"S{index + 1}" for index in range(len(self._sums)))

    def assign(self, voice: Embedding, seconds: float) -> str:
        """The label of the next utterance.

        Args:
            voice: unit vector; zeros where there is no voice.
            seconds: of speech in it.
        """
        if np.isfinite(voice).all() and voice.any():
            self.last = self._sort(voice.astype(np.float64), seconds)
        return self.last

    def nearness(self, label: str, voice: Embedding) -> float:
        """Cosine of a voice and its speaker's mean; 0 for a speaker who has none yet."""
        index = int(label[1:]) - 1
        if index >= len(self._sums):
            return 0.0
        return _cosine(voice.astype(np.float64), self._sums[index])

    def _sort(self, voice: Embedding, seconds: float) -> str:
        nearness = [_cosine(voice, total) for total in self._sums]
        nearest = int(np.argmax(nearness)) if nearness else -1
        near = nearest >= 0 and nearness[nearest] >= self._options.threshold
        if seconds < SHORTEST_S:
            return f"S{nearest + 1}" if near else self.last
        if near:
            self._sums[nearest] = self._sums[nearest] + seconds * voice
        elif len(self._sums) < self._options.max:
            self._sums.append(seconds * voice)
            nearest = len(self._sums) - 1
        return f"S{nearest + 1}"


def _cosine(voice: Embedding, total: Embedding) -> float:
    """Of a unit vector and a sum of such."""
    return float(voice @ total / np.linalg.norm(total))
