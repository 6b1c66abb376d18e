"""The language of speech while it is recognised: windows for the detector, and where it changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from stream.frames import TICKS_PER_SAMPLE, Samples, Utterance
from stream.speech.cuts import quietest, to_samples
from stream.speech.language_track import ENOUGH_S, Heard, LanguageTrack
from stream.speech.segment import Draft

Detect = Callable[[Samples], Awaitable[Mapping[str, float]]]
"""The probability of each language in mono speech at ``SPEECH_RATE``; or raises."""

STEP_S = 1.0
"""From one window to the next."""

LEAST_S = 0.4
"""Speech on either side of a change; where there is less, there is none."""

NEAR_S = 1.25
"""A change is looked for within this distance of where the windows put it,"""

CLOSE_S, CLOSE_STEP_S = 1.0, 0.25
"""in windows of this length, so far from each other,"""

SNAP_S = 0.4
"""and is then in the silence that is this near, or where"""

QUIET_S = 0.2
"""it is quietest within this distance."""


class SpokenLanguage:
    """Tells which language each part of one source is in.

    Args:
        detect: the model.
        among: languages that may occur; any, if there are none.
    """

    def __init__(self, detect: Detect, among: Sequence[str] = ()) -> None:
        self._detect = detect
        self._track = LanguageTrack(among)
        self._heard: dict[tuple[int, int], Heard] = {}
        self._onset: int | None = None  # of the utterance that drafts were told of
        self._language = self._previous = ""  # its language, and that of the one before

    async def of_draft(self, draft: Draft) -> tuple[Draft, str, int | None]:
        """The language that speech under way is in.

        Returns:
            The draft up to where another language begins, and without what was said before it
            in another; its language; and the sample at which the other one begins, if one does.
        """
        course = await self._course(draft.onset, draft.voiced, draft.audio, draft.start)
        language = course[0][1]
        if draft.onset != self._onset:
            self._onset, self._previous = draft.onset, self._language
        self._language = language
        if draft.resumed and self._previous != language:
            draft = draft.alone()
        changes = (at for at, other in course[1:] if other != language)
        estimate = next(changes, None)
        until = None
        if estimate is not None:
            other = next(other for at, other in course if at == estimate)
            until = await self._change(draft, estimate, language, other)
        return draft if until is None else draft.until(until), language, until

    async def of_utterance(self, utterance: Utterance) -> str:
        """The language that most of an utterance is in."""
        start, end = (t // TICKS_PER_SAMPLE for t in (utterance.slot.start, utterance.slot.end))
        first = utterance.audio_start // TICKS_PER_SAMPLE
        course = await self._course(start, end, utterance.audio, first)
        lengths: dict[str, int] = {}
        for (at, language), (following, _) in pairwise([*course, (end, "")]):
            lengths[language] = lengths.get(language, 0) + following - at
        return max(lengths, key=lengths.__getitem__)

    async def _course(
        self, start: int, end: int, audio: Samples, first: int
    ) -> list[tuple[int, str]]:
        """Languages from ``start`` to ``end``, each with where it begins."""
        windows = []
        for window in _windows(start, end):
            if window not in self._heard:
                likely = await self._detect(audio[window[0] - first : window[1] - first])
                self._heard[window] = Heard(*window, likely)
            windows.append(self._heard[window])
        self._heard = {window: self._heard[window] for window in _windows(start, end)}
        self._track.hear(windows)
        languages = self._track.course()[-len(windows) :]
        course = [(start, languages[0])]
        for (one, other), (before, after) in zip(
            pairwise(windows), pairwise(languages), strict=True
        ):
            if before != after:
                course.append(((one.end + other.start) // 2, after))
        return course

    async def _change(self, draft: Draft, estimate: int, before: str, after: str) -> int | None:
        """The sample at which one language gives way to another."""
        near, length, step = map(to_samples, (NEAR_S, CLOSE_S, CLOSE_STEP_S))
        first = max(draft.onset, estimate - near - length // 2)
        last = min(draft.voiced, estimate + near + length // 2) - length
        centres, odds = [], []
        for at in range(first, last + 1, step):
            likely = await self._detect(draft.audio[at - draft.start :][:length])
            centres.append(at + length // 2)
            odds.append(
                np.log(max(likely.get(before, 0.0), 0.02) / max(likely.get(after, 0.0), 0.02))
            )
        if not odds:
            return None
        # What is before the change should be in one language, and what is after it in the other.
        gains = np.concatenate([[0.0], np.cumsum(odds)])
        count = int(np.argmax(gains))
        at = centres[count] - step // 2 if count < len(centres) else centres[-1] + step // 2
        at = _in_silence(draft, at)
        least = to_samples(LEAST_S)
        return at if draft.onset + least <= at <= draft.voiced - least else None


def _windows(start: int, end: int) -> list[tuple[int, int]]:
    """Windows that cover speech; all as long as is enough, if the speech is."""
    length, step = to_samples(ENOUGH_S), to_samples(STEP_S)
    if end - start <= length:
        return [(start, end)]
    windows = [(at, at + length) for at in range(start, end - length + 1, step)]
    return windows if windows[-1][1] == end else [*windows, (end - length, end)]


def _in_silence(draft: Draft, at: int) -> int:
    """The middle of the silence next to a sample, or else the quietest place."""
    near = to_samples(SNAP_S)
    gaps = [(end, start) for (_, end), (start, _) in pairwise(draft.speech)]
    beside = [gap for gap in gaps if max(gap[0] - at, at - gap[1], 0) <= near]
    if beside:
        end, start = max(beside, key=lambda gap: gap[1] - gap[0])
        return (end + start) // 2
    at, near = at - draft.start, to_samples(QUIET_S)
    return draft.start + quietest(draft.audio, at - near, at + near)
