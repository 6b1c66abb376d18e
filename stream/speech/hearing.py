"""Speech of one stream to utterances: the driver of segmentation and recognition.

Free of clocks, tasks and models. Whoever drives it pushes windows, asks what is ``due`` for
recognition, has that recognised, and gives back the ``answer``; utterances come out of all three.
One task owns it.
"""

from __future__ import annotations

from stream.frames import TICKS_PER_SAMPLE, Samples, Transcript, Utterance
from stream.speech.incremental import Found, Incremental
from stream.speech.segment import Draft, Segmenter


class Hearing:
    """Segmentation of one stream, with recognition of the speech under way where that is wanted.

    Without ``incremental``, an utterance is recognised once it has ended, and ``due`` asks for word
    times in speech that has become too long, to cut it between words.

    Args:
        segmenter: fresh.
        incremental: on the same segmenter, or ``None``.
        inline: whether every request is answered before the next window is pushed, so that the
            outcome does not depend on how long recognition takes.
    """

    def __init__(
        self, segmenter: Segmenter, incremental: Incremental | None = None, *, inline: bool
    ) -> None:
        self._segmenter = segmenter
        self._incremental = incremental
        self.inline = inline
        self._asked: Draft | None = None

    @property
    def settled(self) -> int:
        """Media time before which no utterance can start any more, ticks."""
        return self._segmenter.settled

    def push(self, audio: Samples, probabilities: Samples) -> list[Found]:
        """Feed the next windows.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(len(probabilities) * window,)``.
            probabilities: of speech, one per window, in [0, 1].
        """
        found = [self._known(utterance) for utterance in self._segmenter.push(audio, probabilities)]
        # What is about to be recognised anew is not decided on by what was known before.
        if self._incremental is not None and not (self.inline and self._incremental.due()):
            found += self._incremental.advance()
        return found

    def due(self) -> Draft | None:
        """Speech to recognise now, with the times of its words; ``None`` while one is under way."""
        if self._asked is not None:
            return None
        if self._incremental is not None:
            self._asked = self._incremental.due()
        elif self._segmenter.wants_cut():
            self._asked = self._pending()
        return self._asked

    def answer(
        self, transcript: Transcript | None, took: float = 0.0, until: int | None = None
    ) -> list[Found]:
        """The recogniser's answer to what was ``due`` last.

        Args:
            transcript: of what is said from the draft's onset on, as ``account.of_draft`` makes it;
                ``None`` if there is no answer.
            took: wall seconds until it came.
            until: sample at which the utterance ends, as another language begins there; the
                transcript does not go beyond it.
        """
        draft, self._asked = self._asked, None
        assert draft is not None
        if self._incremental is None:
            return self._cut(draft, transcript, until)
        if transcript is None:
            self._incremental.failed(draft)
        else:
            self._incremental.recognised(draft, transcript, took, until)
        return self._incremental.advance()

    def finish(self) -> list[Found]:
        """The source has ended: so does the speech under way."""
        return [self._known(utterance) for utterance in self._segmenter.finish()]

    def _known(self, utterance: Utterance) -> Found:
        if self._incremental is None:
            return Found(utterance)
        found, asked = self._incremental.known(utterance), self._asked
        if found.transcript is not None or asked is None:
            return found
        begins = asked.onset * TICKS_PER_SAMPLE == utterance.slot.start
        covers = asked.voiced * TICKS_PER_SAMPLE >= utterance.slot.end
        return Found(utterance, awaited=begins and covers)

    def _pending(self) -> Draft:
        segmenter = self._segmenter
        assert segmenter.onset is not None
        onset, audio = segmenter.onset, segmenter.pending()
        return Draft(onset, onset, audio, segmenter.voiced, segmenter.speech)

    def _cut(self, draft: Draft, transcript: Transcript | None, until: int | None) -> list[Found]:
        if self._segmenter.onset != draft.onset:
            return []  # it has ended meanwhile
        if until is not None:
            return [Found(self._segmenter.cut(until - draft.onset))]
        words = transcript.words if transcript is not None else ()
        return [Found(self._segmenter.cut(self._segmenter.choose_cut(words, draft.audio)))]
