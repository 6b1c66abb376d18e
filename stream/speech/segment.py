"""Speech probabilities to utterances: endpointing with hysteresis, and cuts in long speech.

The segmenter is free of clocks and I/O. It is fed audio with the speech probability of each
window, and gives back utterances in order. Where speech runs longer than the pipeline can
wait for, it asks for a cut (``wants_cut``) and is told where (``cut``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Literal

from stream.frames import TICKS_PER_SAMPLE, Samples, Utterance, Word
from stream.speech.cuts import choose_cut, to_samples
from stream.speech.history import History
from stream.speech.lengths import Lengths, SegmentOptions
from stream.timeline import Interval

SLIP_S = 0.2
"""A cut moves into a silence that is this near: so far off are recognisers' word times."""

SILENCE_S = 0.09
"""Such a silence lasts at least this long."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Speech that is still under way, for recognition meanwhile; counts in samples.

    Attributes:
        onset: where the utterance begins; names it.
        start: of ``audio[0]``: the onset less padding.
        audio: up to the last window classified, mono at ``SPEECH_RATE``.
        voiced: just after the last window that counted as speech.
        speech: stretches of speech since the onset.
        resumed: whether ``audio`` begins with speech of the utterance before.
        after: the last word of that one, where it is known.
    """

    onset: int
    start: int
    audio: Samples
    voiced: int
    speech: tuple[tuple[int, int], ...] = ()
    resumed: bool = False
    after: Word | None = None

    @property
    def end(self) -> int:
        """Just after the last sample of ``audio``."""
        return self.start + len(self.audio)

    def alone(self) -> Draft:
        """The same without what was said before its onset."""
        audio = self.audio[self.onset - self.start :]
        return replace(self, start=self.onset, audio=audio, resumed=False, after=None)

    def until(self, at: int) -> Draft:
        """The same up to a sample, as if no more had been heard."""
        speech = tuple((start, min(end, at)) for start, end in self.speech if start < at)
        audio = self.audio[: at - self.start]
        return replace(self, audio=audio, voiced=min(self.voiced, at), speech=speech)


class Segmenter:
    """Turns windows of audio and their speech probabilities into utterances.

    Args:
        options: thresholds and lengths.
        window: samples at ``SPEECH_RATE`` covered by one probability.
        breaths: whether long speech is cut at a breath without knowing what is said.
        leaning: words, in lower case, that lean on the next one: no place for a cut.
        opening: words, in lower case, that begin a clause: a good place before them.
        context: seconds of what was said just before that drafts begin with: speech is
            recognised better in its context.
        near: seconds of silence after which what was said before is no context.
    """

    def __init__(
        self,
        options: SegmentOptions,
        window: int = 512,
        *,
        breaths: bool = True,
        leaning: frozenset[str] = frozenset(),
        opening: frozenset[str] = frozenset(),
        context: float = 0.0,
        near: float = 1.0,
    ) -> None:
        self._options = options
        self._choose = partial(choose_cut, leaning=leaning, opening=opening)
        self._breaths = breaths
        self._window = window
        self._lengths = Lengths(options, context, near)
        self._history = History()
        self._position = 0  # samples whose probability is known
        self._onset: int | None = None
        self._voiced: list[tuple[int, int]] = []  # stretches of speech since the onset
        self._last_voiced = 0  # just after the last window that counted as speech
        self.patient = False
        """Whether only ``late_pause`` ends the speech under way: its sentence is not over."""
        self._previous_end = 0
        self._context: int | None = None  # where the sound begins that is recognised again
        self._continues = False  # the speech under way follows a cut
        self._next_id = 0

    @property
    def options(self) -> SegmentOptions:
        """As it was made with."""
        return self._options

    @property
    def settled(self) -> int:
        """Media time before which no utterance can start any more, ticks."""
        return TICKS_PER_SAMPLE * (self._position if self._onset is None else self._onset)

    def push(self, audio: Samples, probabilities: Samples) -> list[Utterance]:
        """Feed the next windows.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(len(probabilities) * window,)``.
            probabilities: one per window, in [0, 1].

        Returns:
            Utterances that have ended.
        """
        if len(audio) != len(probabilities) * self._window:
            raise ValueError("audio must cover exactly the windows that have a probability")
        self._history.push(audio)
        ended: list[Utterance] = []
        for probability in probabilities:
            utterance = self._step(float(probability))
            if utterance is not None:
                ended.append(utterance)
        self._forget()
        return ended

    @property
    def onset(self) -> int | None:
        """Where the speech under way began, samples; ``None`` between utterances."""
        return self._onset

    @property
    def voiced(self) -> int:
        """Just after the last window that counted as speech, samples."""
        return self._last_voiced

    @property
    def speech(self) -> tuple[tuple[int, int], ...]:
        """Stretches of the speech under way, samples."""
        return tuple(self._voiced)

    @property
    def silence(self) -> int:
        """Samples without speech at the end of the speech under way."""
        return self._position - self._last_voiced

    def draft(self) -> Draft | None:
        """The speech under way, with padding before it."""
        if self._onset is None:
            return None
        first, resumed = self._first(), self._context is not None
        if self._context is not None:
            first = max(min(self._context, first), self._history.start)
        audio = self._history.slice(first, self._position)
        return Draft(self._onset, first, audio, self._last_voiced, self.speech, resumed)

    def wants_cut(self, grace: float = 0.0) -> bool:
        """Whether the speech under way has reached ``max_length`` without a gap to cut at.

        Args:
            grace: seconds beyond it; before it if negative.
        """
        longest = self._lengths.longest + to_samples(grace)
        return self._onset is not None and self._position - self._onset >= longest

    def pending(self) -> Samples:
        """Audio of the speech under way, from its onset, mono at ``SPEECH_RATE``."""
        assert self._onset is not None
        return self._history.slice(self._onset, self._position)

    def choose_cut(self, words: Sequence[Word], audio: Samples) -> int:
        """As the function of that name, by the words of this language."""
        return self._choose(words, audio)

    def cut(self, length: int) -> Utterance:
        """End the speech under way ``length`` samples after its onset and go on from there.

        Where there is a silence at hand, the cut is in it, and the silence is left to neither:
        one slot ends before it and the next begins after it.

        Args:
            length: samples.
        """
        assert self._onset is not None and 0 < length <= self._position - self._onset
        at = self._in_silence(self._onset + length)
        before = [end for start, end in self._voiced if start < at]
        utterance = self._utterance(min(before[-1], at) if before else at, "cut", at)
        self._voiced = [(max(start, at), end) for start, end in self._voiced if end > at]
        self._onset = self._voiced[0][0] if self._voiced else at
        self._previous_end = at
        self._context = self._before(at)
        self._continues = True
        self._last_voiced = max(self._last_voiced, at)
        self._forget()
        return utterance

    def end(self) -> Utterance | None:
        """End the speech under way in the silence that it has come to."""
        utterance = self._end("pause")
        self._forget()
        return utterance

    def finish(self) -> list[Utterance]:
        """The source has ended: whatever speech is under way ends too."""
        if self._onset is None:
            return []
        utterance = self._end("end")
        return [utterance] if utterance is not None else []

    def _step(self, probability: float) -> Utterance | None:
        begin = self._position
        self._position += self._window
        if self._onset is None:
            if probability >= self._options.onset:
                self._onset = begin
                if self._context is None:
                    # What is heard again later begins with speech, not with silence before it.
                    self._history.drop(self._first())
                self._voice_goes_on(begin)
            elif self._position - self._previous_end >= self._lengths.near:
                self._context = None
            return None
        silence = begin - self._last_voiced
        if probability >= self._options.onset or (
            probability >= self._options.offset and silence == 0
        ):
            gap_end = begin if silence >= self._lengths.breath_gap else None
            voiced = self._last_voiced - self._onset
            utterance = None
            if self._breaths and gap_end is not None and voiced >= self._lengths.soft:
                utterance = self._end("cut")
                self._onset = gap_end
                self._continues = True
            self._voice_goes_on(begin)
            return utterance
        if self.silence >= (self._lengths.late_pause if self.patient else self._lengths.pause):
            return self._end("pause")
        return None

    def _in_silence(self, at: int) -> int:
        """``at``, or the middle of the silence next to it, if it is within ``SLIP_S``."""
        slip = to_samples(SLIP_S)
        best, place = slip + 1, at
        for (_, end), (start, _) in pairwise(self._voiced):
            away = max(end - at, at - start, 0)
            if start - end >= to_samples(SILENCE_S) and away < best:
                best, place = away, (end + start) // 2
        return place

    def _voice_goes_on(self, begin: int) -> None:
        if self._voiced and self._voiced[-1][1] == begin:
            begin = self._voiced.pop()[0]
        self._voiced.append((begin, self._position))
        self._last_voiced = self._position

    def _end(self, ended_by: Literal["pause", "cut", "end"]) -> Utterance | None:
        assert self._onset is not None
        utterance = None
        length = self._last_voiced - self._onset
        # A short sound alone is a click; after a cut it is the last word of a sentence.
        if length >= self._lengths.min_speech or (self._continues and length > 0):
            utterance = self._utterance(self._last_voiced, ended_by)
            self._context = self._before(self._last_voiced)
        self._onset = None
        self._voiced = []
        self._continues = self.patient = False
        return utterance

    def _before(self, end: int) -> int | None:
        return (
            max(end - self._lengths.context, self._history.start) if self._lengths.context else None
        )

    def _first(self) -> int:
        """Where the audio of the speech under way begins, padding included."""
        assert self._onset is not None
        return max(self._onset - self._lengths.padding, self._previous_end, self._history.start)

    def _utterance(
        self, end: int, ended_by: Literal["pause", "cut", "end"], cut: int | None = None
    ) -> Utterance:
        assert self._onset is not None
        first = self._first()
        # A cut has speech on its far side: padding would bring in the next word.
        beyond = self._position if cut is None else cut
        last = (
            end if ended_by == "cut" and cut is None else min(end + self._lengths.padding, beyond)
        )
        utterance = Utterance(
            id=self._next_id,
            slot=Interval(self._onset * TICKS_PER_SAMPLE, end * TICKS_PER_SAMPLE),
            audio=self._history.slice(first, last),
            audio_start=first * TICKS_PER_SAMPLE,
            ended_by=ended_by,
            speech=tuple(
                Interval(start * TICKS_PER_SAMPLE, min(stop, end) * TICKS_PER_SAMPLE)
                for start, stop in self._voiced
                if start < end
            ),
        )
        self._next_id += 1
        self._previous_end = end if cut is None else cut
        self.patient = False
        return utterance

    def _forget(self) -> None:
        keep = (self._position if self._onset is None else self._onset) - self._lengths.padding
        if self._context is not None:
            keep = min(keep, self._context)
        self._history.forget(keep)
