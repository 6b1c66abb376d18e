"""An utterance that has no pause is cut between words, by a request for their times."""

import numpy as np

from stream.frames import SPEECH_RATE, Samples, Transcript, Word
from stream.speech.hearing import Hearing
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Draft, Segmenter
from stream.timeline import ticks

WINDOW = 512
OPTIONS = SegmentOptions(soft_length=2.5, max_length=4.0)


def speech(windows: int) -> Samples:
    return np.full(windows * WINDOW, 0.1, np.float32)


def talked_until_due(hearing: Hearing) -> Draft:
    """Speech without a pause, until its words are asked for."""
    for _ in range(200):
        assert hearing.push(speech(1), np.float32([0.9])) == []
        if (draft := hearing.due()) is not None:
            return draft
    raise AssertionError("nothing was asked for")


def test_words_are_asked_for_once_at_the_longest_and_speech_is_cut_between_them() -> None:
    hearing = Hearing(Segmenter(OPTIONS, WINDOW), inline=False)
    draft = talked_until_due(hearing)
    assert len(draft.audio) == 4 * SPEECH_RATE and draft.onset == draft.start == 0
    assert hearing.due() is None
    words = tuple(Word(f"w{i}", i, i + 0.9, 1.0) for i in range(4))
    words = (*words[:2], Word("w2,", 2.0, 2.9, 1.0), *words[3:])
    heard = Transcript("w0 w1 w2, w3", "en", words)
    (found,) = hearing.answer(heard, 0.5)
    assert found.transcript is None and not found.awaited
    assert found.utterance.ended_by == "cut"
    assert ticks(2.8) <= found.utterance.slot.end <= ticks(3.1)
    assert hearing.due() is None
    (rest,) = hearing.finish()
    assert rest.utterance.slot.start == found.utterance.slot.end


def test_without_an_answer_it_is_cut_where_it_is_quietest() -> None:
    hearing = Hearing(Segmenter(OPTIONS, WINDOW), inline=False)
    for index in range(125):
        sound = speech(1) * (0.0 if index == 100 else 1.0)
        hearing.push(sound, np.float32([0.9]))
    assert hearing.due() is not None
    (found,) = hearing.answer(None)
    assert 100 * WINDOW * 3 <= found.utterance.slot.end <= 101 * WINDOW * 3


def test_an_answer_about_speech_that_has_ended_meanwhile_cuts_nothing() -> None:
    hearing = Hearing(Segmenter(OPTIONS, WINDOW), inline=False)
    talked_until_due(hearing)
    (ended,) = hearing.push(speech(20), np.full(20, 0.02, np.float32))
    assert ended.utterance.ended_by == "pause" and not ended.awaited
    assert hearing.answer(Transcript("late", "en")) == []
