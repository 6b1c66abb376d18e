"""Recognition while the speaker is still talking: what to recognise when, and what follows.

Free of clocks and I/O. Speech under way is recognised again whenever there is reason to: silence
has begun, or enough new speech has come. When the policy finds that the first words of the newest
hypothesis are a unit for translation, the utterance is cut after them, so that a unit is an
utterance like any other, with its own slot; its text is known already. Audio before a cut is
never recognised again, and speech is cut at ``max_length`` in any case, which bounds the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from stream.frames import (
    SPEECH_RATE,
    TICKS_PER_SAMPLE,
    Transcript,
    Utterance,
    Word,
    letters,
    written,
)
from stream.speech.agreement import LocalAgreement
from stream.speech.cuts import quietest
from stream.speech.pauses import marked
from stream.speech.reaction import Reaction
from stream.speech.segment import Draft, Segmenter

BREATH_S = 0.2
"""After this much silence speech is recognised: it may be complete. Any sooner, last words are
misrecognised, and sentences that go on are taken for finished."""

SLIP_S = 0.5
"""The times of a word may differ by this from one hypothesis to the next."""

FIRST_S = 1.0
"""Less speech is never cut."""

SHORTEST_S = 0.2
"""A cut at the longest unit leaves at least this much speech before it."""

GRACE_S = 1.5
"""Beyond the longest unit by this, a cut does not wait for recognition any longer."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the speech under way; times in seconds since the source's start.

    Attributes:
        words: the newest hypothesis.
        stable: how many of them can be relied on.
        whole: whether nothing was said after them.
        start: where the speech begins.
        length: seconds of speech so far.
        silence: seconds without speech since.
    """

    words: Sequence[Word]
    stable: int
    whole: bool
    start: float
    length: float
    silence: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What shall happen to the words of an ``Outlook``.

    Attributes:
        take: how many go to translation now.
        hold: whether a pause of usual length does not end the utterance.
    """

    take: int = 0
    hold: bool = False


class Policy(Protocol):
    """What is to be known of the language."""

    def decide(self, outlook: Outlook) -> Verdict:
        """What shall happen to the words of ``outlook`` now."""
        ...

    def mark(self, before: Word, after: Word) -> str:
        """What is written after a word that a silence parts from the next one."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """An utterance that has ended, and its words where they are known already.

    Attributes:
        utterance: what was said, and when.
        transcript: its words, if speech was recognised while it was under way.
        awaited: whether the answer under way will have them all.
    """

    utterance: Utterance
    transcript: Transcript | None = None
    awaited: bool = False


class Incremental:
    """Recognition of one stream, on top of its segmenter.

    Args:
        segmenter: of the same stream, made without ``breaths``.
        agreement: fresh.
        policy: says where to cut.
        step: seconds of new speech that are worth another pass; infinite where nobody waits.
        breath: seconds of silence that are.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        agreement: LocalAgreement,
        policy: Policy,
        *,
        step: float,
        breath: float = BREATH_S,
    ) -> None:
        self._segmenter = segmenter
        self._agreement = agreement
        self._policy = policy
        self._step = step * SPEECH_RATE
        self._breath = breath * SPEECH_RATE
        self._onset: int | None = None  # of the utterance that the hypotheses are of
        self._last: Word | None = None  # of the utterance before
        self._draft: Draft | None = None  # recognised last
        self._news: Literal["none", "answer", "failure"] = "none"  # not acted on yet
        self._reaction = Reaction(segmenter.options.max_length)
        self._recognised = 0  # samples, all speech before which was recognised
        self._language = ""
        self._switch: int | None = None  # sample at which another language begins
        self._rejected: str | None = None

    def due(self) -> Draft | None:
        """Speech that is worth recognising now."""
        segmenter = self._segmenter
        if segmenter.onset is None or segmenter.voiced <= self._recognised:
            return None
        silent = segmenter.silence >= self._breath
        since = max(self._recognised, segmenter.onset)
        long_ = segmenter.voiced - segmenter.onset >= FIRST_S * SPEECH_RATE
        # Where a pause may have begun, it would delay recognition of all that was said.
        talking = long_ and segmenter.silence == 0
        # On a slow machine, recognition of speech under way takes half of the time at most.
        last = self._reaction.last * SPEECH_RATE
        more = talking and segmenter.voiced - since >= max(self._step, 2 * last)
        if not (silent or more or segmenter.wants_cut(-self._reaction.ahead)):
            return None
        draft = segmenter.draft()
        return replace(draft, after=self._last) if draft is not None and draft.resumed else draft

    def recognised(
        self, draft: Draft, transcript: Transcript, took: float = 0.0, until: int | None = None
    ) -> None:
        """The recogniser's answer; what follows from it is asked of ``advance``.

        Args:
            draft: what was recognised.
            transcript: the answer, without what was said before the draft's onset; its words
                timed from the draft's first sample.
            took: wall seconds until it was there.
            until: see ``Hearing.answer``.
        """
        if until is not None:
            draft = draft.until(until)
        self._reaction.took(took)
        if draft.onset != self._segmenter.onset:
            return  # ended or cut meanwhile
        self._follow()
        self._news = "answer"
        self._agreement.push(_timed(draft, transcript), draft.end / SPEECH_RATE)
        self._draft, self._recognised = draft, draft.voiced
        self._language, self._rejected = transcript.language, transcript.rejected
        self._switch = until

    def failed(self, draft: Draft) -> None:
        """The recogniser gave no answer; this speech is recognised again once it has ended."""
        self._recognised, self._news = max(self._recognised, draft.voiced), "failure"
        self._draft = None

    def advance(self) -> list[Found]:
        """Utterances that end, or are cut off, by what is known now."""
        done: list[Found] = []
        self._follow()
        while self._segmenter.onset is not None:
            if self._draft is not None:
                ended = self._apply(self._policy.decide(self._outlook()), self._draft)
            else:
                ended = self._overdue()
            if ended is None:
                break
            done.append(ended)
        self._news = "none"
        return done

    def known(self, utterance: Utterance) -> Found:
        """An utterance that the segmenter has ended, with its text if all of it was recognised."""
        same = self._draft is not None and self._onset == utterance.slot.start // TICKS_PER_SAMPLE
        if not same or self._recognised * TICKS_PER_SAMPLE < utterance.slot.end:
            self._last = None
            return Found(utterance)
        words = self._agreement.words
        self._forget()
        return self._found(utterance, words)

    def _apply(self, verdict: Verdict, draft: Draft) -> Found | None:
        segmenter, words = self._segmenter, self._agreement.words
        assert segmenter.onset is not None
        segmenter.patient = verdict.hold
        if self._switch is not None and verdict.take in (0, len(words)):
            return self._cut(len(words), self._switch)
        if verdict.take and verdict.take == len(words):
            utterance = segmenter.end()
            self._forget()
            return self._found(utterance, words) if utterance is not None else None
        if verdict.take:
            return self._cut(verdict.take, _between(words, verdict.take, draft))
        nearly_all = draft.end - draft.onset >= 0.7 * len(segmenter.pending())
        # A longer draft under way is waited for, however long its recognition takes.
        overdue = self._news == "answer" and segmenter.wants_cut(GRACE_S)
        if overdue or (nearly_all and segmenter.wants_cut(-self._reaction.ahead)):
            local = [_shifted(word, -draft.onset / SPEECH_RATE) for word in words]
            at = draft.onset + segmenter.choose_cut(local, draft.audio[draft.onset - draft.start :])
            if at - segmenter.onset < SHORTEST_S * SPEECH_RATE:
                self._draft = None  # that place was cut already: more has to be recognised
                return None
            before = sum((word.start + word.end) / 2 * SPEECH_RATE <= at for word in words)
            return self._cut(before, at)
        return None

    def _overdue(self) -> Found | None:
        """A blind cut in speech that has become too long and could not be recognised."""
        segmenter = self._segmenter
        assert segmenter.onset is not None
        if not (self._news == "failure" and segmenter.wants_cut(GRACE_S)):
            return None
        return self._cut(0, segmenter.onset + segmenter.choose_cut((), segmenter.pending()))

    def _cut(self, count: int, at: int) -> Found:
        segmenter = self._segmenter
        assert segmenter.onset is not None
        longest = len(segmenter.pending())
        utterance = segmenter.cut(min(max(at - segmenter.onset, 1), longest))
        taken = self._agreement.take(count)
        self._onset = segmenter.onset
        if self._switch is not None and self._switch <= at:
            self._switch = None
        rest = self._agreement.words
        if not rest:
            self._draft = None
        if not taken:
            self._last = None
            return Found(utterance)
        if rest and segmenter.onset * TICKS_PER_SAMPLE > utterance.slot.end:
            mark = self._policy.mark(taken[-1], rest[0])
            taken[-1] = replace(taken[-1], text=taken[-1].text + mark)
        return self._found(utterance, taken)

    def _outlook(self) -> Outlook:
        segmenter = self._segmenter
        assert segmenter.onset is not None
        return Outlook(
            self._agreement.words,
            self._agreement.stable,
            self._recognised >= segmenter.voiced,
            segmenter.onset / SPEECH_RATE,
            (segmenter.voiced - segmenter.onset) / SPEECH_RATE,
            segmenter.silence / SPEECH_RATE,
        )

    def _found(self, utterance: Utterance, words: Sequence[Word]) -> Found:
        self._last = words[-1] if words else None
        words = marked(words, utterance.speech, self._policy.mark)
        text = Transcript(written(words), self._language, tuple(words), self._rejected)
        return Found(utterance, text)

    def _follow(self) -> None:
        """Forget an utterance that the segmenter has ended."""
        if self._onset != self._segmenter.onset:
            self._forget()
            self._onset = self._segmenter.onset

    def _forget(self) -> None:
        self._agreement.reset()
        self._draft = self._switch = None
        self._onset = None


def _timed(draft: Draft, transcript: Transcript) -> list[Word]:
    """Words on the source's clock; text without times is one word as long as the speech."""
    offset = draft.start / SPEECH_RATE
    if transcript.words or not transcript.text:
        return [_shifted(word, offset) for word in transcript.words]
    start, end = draft.onset / SPEECH_RATE, draft.voiced / SPEECH_RATE
    return [Word(transcript.text, start, end, 1.0)]


def since_onset(draft: Draft, transcript: Transcript) -> Transcript:
    """What is said from a draft's onset on: what comes before was taken already.

    The last word that was taken tells where that is, if it is recognised again at about its time;
    otherwise the times of words do.
    """
    if not draft.resumed:
        return transcript
    words, at = transcript.words, (draft.onset - draft.start) / SPEECH_RATE
    before = sum(word.start + word.end <= 2 * at for word in words)
    if draft.after is not None:
        taken = replace(draft.after, end=draft.after.end - draft.start / SPEECH_RATE)
        near = {
            abs(word.end - taken.end): count
            for count, word in enumerate(words, 1)
            if letters(word.text) == letters(taken.text)
        }
        if near and min(near) < SLIP_S:
            before = near[min(near)]
    own = words[before:]
    return replace(transcript, text=written(own), words=own) if before else transcript


def _shifted(word: Word, by: float) -> Word:
    return replace(word, start=word.start + by, end=word.end + by)


def _between(words: Sequence[Word], count: int, draft: Draft) -> int:
    """The sample at which to cut between two words: the quietest one of the gap."""
    left, right = words[count - 1].end, words[count].start
    first, last = (
        round(t * SPEECH_RATE) - draft.start for t in (min(left, right), max(left, right))
    )
    margin = round(0.08 * SPEECH_RATE)
    return draft.start + quietest(draft.audio, first - margin, last + margin)
