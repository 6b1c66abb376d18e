"""Which language is spoken when: the likeliest course through what a detector made of windows.

A detector is often wrong about a second of speech, and people seldom change their language. So the
windows of the last minutes are taken together, as a hidden Markov model: what a window says counts
by the speech that it adds, a change costs, and Viterbi's algorithm finds the cheapest course. Too
short a stretch, such as an "OK", never pays for a change. Pure and clock-free; counts in samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream.frames import SPEECH_RATE

ENOUGH_S = 2.0
"""Speech of this length is told as well as any."""

SHORT_S = 1.2
"""Of less, the detector's word counts for little."""

SHORT_WEIGHT = 0.1

LEAST = 0.01
"""No window makes a language less likely than this."""

CHANGE = 2.0
"""Cost of a change, as a log-probability; of one to a language that was not heard yet, more."""

NEW = 1.0

KEPT = 64
"""Newest windows that are remembered."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a detector made of a window.

    Attributes:
        start: of the window.
        end: just after it.
        likely: probability by language.
    """

    start: int
    end: int
    likely: Mapping[str, float]


class LanguageTrack:
    """The languages of one source.

    Args:
        among: those that may occur; any, if there are none.
    """

    def __init__(self, among: Sequence[str] = ()) -> None:
        self._among = tuple(among)
        self._windows: list[Heard] = []

    def hear(self, windows: Sequence[Heard]) -> None:
        """Take note of windows, in place of what was known from the first one's start on.

        Args:
            windows: in order.
        """
        earlier = [one for one in self._windows if one.start < windows[0].start]
        self._windows = [*earlier, *windows][-KEPT:]

    def course(self) -> list[str]:
        """The language of each window that is remembered, up to the newest one."""
        if not self._windows:
            return []
        languages = self._among or self._occurring()
        costs = [self._costs(number, languages) for number in range(len(self._windows))]
        change = [CHANGE + NEW * (not self._known(one)) for one in languages]
        best, came = costs[0], []
        for here in costs[1:]:
            cheapest = min(range(len(languages)), key=best.__getitem__)
            from_ = [
                cheapest if best[cheapest] + change[one] < best[one] else one
                for one in range(len(languages))
            ]
            came.append(from_)
            best = [
                best[before] + here[one] + (change[one] if before != one else 0.0)
                for one, before in enumerate(from_)
            ]
        at = min(range(len(languages)), key=best.__getitem__)
        course = [at]
        for from_ in reversed(came):
            course.append(at := from_[at])
        return [languages[one] for one in reversed(course)]

    def _occurring(self) -> tuple[str, ...]:
        """Languages that some window takes for the likeliest."""
        likeliest = (max(one.likely, key=one.likely.__getitem__) for one in self._windows)
        return tuple(dict.fromkeys(likeliest))

    def _costs(self, number: int, languages: Sequence[str]) -> list[float]:
        likely = self._windows[number].likely
        total = sum(likely.get(one, 0.0) for one in languages) if self._among else 1.0
        weight = self._weight(number)
        return [
            -weight * math.log(max(likely.get(one, 0.0) / max(total, 1e-9), LEAST))
            for one in languages
        ]

    def _weight(self, number: int) -> float:
        """How much a window counts: by what it adds to the one before."""
        window = self._windows[number]
        before = self._windows[number - 1].end if number else window.start
        adds = (window.end - max(window.start, before)) / SPEECH_RATE
        if window.end - window.start < SHORT_S * SPEECH_RATE:
            return SHORT_WEIGHT * max(adds, 0.0) / ENOUGH_S
        return max(adds, 0.0) / ENOUGH_S

    def _known(self, language: str) -> bool:
        """Whether a language was clearly heard for as long as is enough."""
        if self._among:
            return True
        return (
            sum(
                self._weight(number) * window.likely.get(language, 0.0)
                for number, window in enumerate(self._windows)
            )
            >= 1.0
        )
