"""What is said according to a human: the texts of subtitles, timed to the speech that was found.

A subtitle shows about when its words are said, and longer than they take. So its words are spread
over the speech within its time, by their letters, and then stand where a recogniser's would: the
segmenter's rules make utterances of them, whatever cues they came in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from stream.frames import SPEECH_RATE, Samples, Transcript, Utterance, Word, letters, written
from stream.intervals import intersection
from stream.media.webvtt import Cue
from stream.speech.hearing import Hearing
from stream.speech.incremental import Found, Incremental
from stream.speech.segment import Draft, Segmenter
from stream.timeline import TICK_RATE, Interval, seconds, ticks

SLACK_S = 0.5
"""Subtitles come this much too late or go this much too early, where another does not show."""

MOMENT_S = 0.02
"""Times that differ by less are the same."""

LEAST_S = 0.1
"""Less speech than this is none."""

AFTER_S = 0.1
"""Cuts are made this near to the times of words."""


class Script:
    """The words of one source, in order.

    Args:
        cues: sorted.
        speech: of the source, sorted and disjoint, ticks.
        language: of the texts.
        translated: whether that is the language of the dub, and not of the source.

    Attributes:
        words: with times on the source's clock, in seconds.
        unspoken: cues during which nobody speaks; their words are not among ``words``.
    """

    def __init__(
        self, cues: Sequence[Cue], speech: Sequence[Interval], language: str, *, translated: bool
    ) -> None:
        self.language, self.translated = language, translated
        self.words: list[Word] = []
        self.unspoken: list[Cue] = []
        shown = _apart(cues)
        for cue, room in zip(shown, _rooms(shown), strict=True):
            found = _spread(cue.text, intersection(speech, [room]))
            self.words += found
            if not found:
                self.unspoken.append(cue)
        self._starts = [word.start for word in self.words]
        self._next = 0  # the first word that is in no utterance yet

    @property
    def left(self) -> list[Word]:
        """Words that no utterance has had."""
        return self.words[self._next :]

    def of_draft(self, draft: Draft) -> Transcript:
        """What is said from a draft's onset on, timed from its first sample."""
        onset, end = draft.onset / SPEECH_RATE, draft.end / SPEECH_RATE
        first = bisect_left(self._starts, onset - AFTER_S)
        if draft.after is not None:
            first = self._place(draft.after) + 1
        by = -draft.start / SPEECH_RATE
        own = [
            replace(word, start=word.start + by, end=word.end + by)
            for word in self.words[first:]
            if word.start < end
        ]
        return self._transcript(own)

    async def of_utterance(self, utterance: Utterance, known: Transcript | None) -> Transcript:
        """The words of an utterance: those of its drafts, or those that are said until its end."""
        end = seconds(utterance.slot.end) - MOMENT_S
        after = bisect_left(self._starts, end)
        if known is not None and known.words:
            after = self._place(known.words[-1]) + 1
        words = self.words[self._next : after]
        self._next = max(after, self._next)
        return self._transcript(words)

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Nothing: where a script stands for a recogniser, sound alone says nothing."""
        return Transcript("", self.language)

    async def aclose(self) -> None:
        """Nothing to free."""

    def _place(self, word: Word) -> int:
        """Which of the words it is, by its time."""
        at = bisect_left(self._starts, word.start - 1e-6)
        return min(at, len(self.words) - 1)

    def _transcript(self, words: Sequence[Word]) -> Transcript:
        return Transcript(written(words), self.language, tuple(words))


class Prompted(Hearing):
    """A hearing that nobody has to answer: it has the words already.

    Args:
        segmenter: fresh.
        incremental: on the same segmenter, or ``None``.
        script: the words.
        inline: see ``Hearing``.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        incremental: Incremental | None,
        script: Script,
        *,
        inline: bool,
    ) -> None:
        super().__init__(segmenter, incremental, inline=inline)
        self._script = script

    def push(self, audio: Samples, probabilities: Samples) -> list[Found]:
        """Feed the next windows; see ``Hearing``."""
        found = super().push(audio, probabilities)
        while (draft := super().due()) is not None:
            found += self.answer(self._script.of_draft(draft))
        return found

    def due(self) -> Draft | None:
        """Nothing is left to recognise."""
        return None


def _apart(cues: Sequence[Cue]) -> list[Cue]:
    """Cues of which each ends before the next begins; those that show together are one."""
    found: list[Cue] = []
    for cue in cues:
        if found and cue.time.start - found[-1].time.start < ticks(LEAST_S):
            last = found.pop()
            end = max(last.time.end, cue.time.end)
            cue = Cue(Interval(last.time.start, end), f"{last.text} {cue.text}")
        elif found and found[-1].time.end > cue.time.start:
            last = found.pop()
            found.append(Cue(Interval(last.time.start, cue.time.start), last.text))
        found.append(cue)
    return found


def _rooms(cues: Sequence[Cue]) -> list[Interval]:
    """Where the words of each cue may be said: its time, and a little of the pauses around it."""
    slack, edges = ticks(SLACK_S), [0]
    for before, after in pairwise(cues):
        edges.append((before.time.end + after.time.start) // 2)
    edges.append(max((cue.time.end for cue in cues), default=0) + slack)
    return [
        Interval(max(cue.time.start - slack, first), min(cue.time.end + slack, last))
        for cue, (first, last) in zip(cues, pairwise(edges), strict=True)
    ]


def _spread(text: str, speech: Sequence[Interval]) -> list[Word]:
    """The words of a text over stretches of speech, by their letters; none over less than some."""
    total = sum(stretch.duration for stretch in speech)
    if total < ticks(LEAST_S):
        return []
    written_ = text.split()
    weights = [max(len(letters(word)), 1) for word in written_]
    whole, done = sum(weights), 0
    words = []
    for word, weight in zip(written_, weights, strict=True):
        middle = (done + weight / 2) / whole * total
        half = weight / 2 / whole * total
        done += weight
        stretch, at = _at(speech, middle)
        start = max(at - half, stretch.start)
        end = min(at + half, stretch.end)
        words.append(Word(word, start / TICK_RATE, end / TICK_RATE, 1.0))
    return words


def _at(speech: Sequence[Interval], spoken: float) -> tuple[Interval, float]:
    """The stretch in which so many ticks have been spoken, and the time of that."""
    for stretch in speech:
        if spoken <= stretch.duration:
            return stretch, stretch.start + spoken
        spoken -= stretch.duration
    return speech[-1], float(speech[-1].end)
