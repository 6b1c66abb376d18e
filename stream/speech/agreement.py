"""Which words of a growing hypothesis can be relied on: LocalAgreement. Pure and clock-free.

A recogniser that is given the beginning of an utterance again and again, a little more of it each
time, changes its mind about the last words. LocalAgreement-n relies on the words with which n
hypotheses in a row begin (Liu et al. 2020; Macháček et al. 2023, arXiv 2307.14743).

With n = 1 there is nothing to compare, and what decides is where the decoder's attention was: a
word is relied on if its last sound lies well before the end of the audio, the criterion of
AlignAtt (Papi et al. 2023, arXiv 2305.11408) applied to the finished hypothesis.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from stream.frames import Word, letters

GUARD_S = 0.3
"""A single hypothesis is not relied on this close to the end of its audio."""


class LocalAgreement:
    """Hypotheses of one utterance after another, and how much of the newest is stable.

    What was taken is never changed; what was not may be, up to the last moment.

    Args:
        n: hypotheses that must agree, at least 1.
    """

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ValueError(f"at least one hypothesis must agree, not {n}")
        self._earlier: deque[list[str]] = deque(maxlen=n - 1)
        self._needed = n
        self.words: list[Word] = []
        """The newest hypothesis of what was not taken yet."""
        self.stable = 0
        """How many of them can be relied on."""

    def push(self, words: Sequence[Word], until: float) -> None:
        """A new hypothesis of everything that was not taken.

        Args:
            words: in order; their times and ``until`` are on one clock, seconds.
            until: end of the audio that was recognised.
        """
        if self.words or self._earlier:
            self._earlier.append(_spelt(self.words))
        self.words = list(words)
        if self._needed == 1:
            reliable = [word.end <= until - GUARD_S for word in self.words]
            self.stable = reliable.index(False) if False in reliable else len(reliable)
        elif len(self._earlier) < self._needed - 1:
            self.stable = 0
        else:
            self.stable = _agreed([*self._earlier, _spelt(self.words)])

    def take(self, count: int) -> list[Word]:
        """The first ``count`` words, which go on their way and come back no more."""
        taken, self.words = self.words[:count], self.words[count:]
        if self.stable >= count:
            for earlier in self._earlier:
                del earlier[:count]
        else:  # cut before they had agreed: there is nothing to compare the rest with
            self._earlier.clear()
        self.stable = max(self.stable - count, 0)
        return taken

    def reset(self) -> None:
        """Speech ended; the next hypothesis is of another utterance."""
        self._earlier.clear()
        self.words = []
        self.stable = 0


def _spelt(words: Sequence[Word]) -> list[str]:
    """Words as they are compared: without case and punctuation."""
    return [letters(word.text) for word in words]


def _agreed(hypotheses: Sequence[Sequence[str]]) -> int:
    count = 0
    for column in zip(*hypotheses, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count
