from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.asr.units import Units, clause_ends, sentence_ends
from stream.frames import SPEECH_RATE, Transcript, Word, written
from stream.speech.agreement import LocalAgreement
from stream.speech.hearing import Hearing
from stream.speech.incremental import Found, Incremental, Outlook, since_onset
from stream.speech.lengths import SegmentOptions
from stream.speech.segment import Segmenter
from stream.timeline import TICK_RATE
from tests.helpers.perfect_recogniser import recognised, said

WINDOW = 512
OPTIONS = SegmentOptions(soft_length=2.5, max_length=4.0)


def run(
    speech: list[Word], *, live: bool, delay: int = 0, agreement: int = 2, late: float = 0.0
) -> list[Found]:
    """Every utterance, with answers that come ``delay`` windows after they were asked for.

    What is before a cut is heard again ``late`` seconds later than it was.
    """
    length = round((speech[-1].end + 2) * SPEECH_RATE / WINDOW)
    voice = [any(w.start <= (i + 0.5) * WINDOW / SPEECH_RATE < w.end for w in speech)
             for i in range(length)]  # fmt: skip
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False, context=2.0)
    incremental = Incremental(
        segmenter,
        LocalAgreement(agreement),
        Units(OPTIONS, "en", live=live),
        step=0.5 if live else float("inf"),
        breath=0.13 if live else 0.35,
    )
    hearing = Hearing(segmenter, incremental, inline=not live)
    done: list[Found] = []
    ready: tuple[int, Transcript] | None = None
    for index, voiced in enumerate(voice):
        sound = np.full(WINDOW, 0.1 if voiced else 0.0, np.float32)
        done += hearing.push(sound, np.float32([0.9 if voiced else 0.02]))
        if (draft := hearing.due()) is not None:
            heard = recognised(speech, draft)
            if draft.resumed:
                shifted = [replace(w, start=w.start + late, end=w.end + late) for w in heard.words]
                heard = replace(heard, words=tuple(shifted))
            ready = index + delay, since_onset(draft, heard)
        if ready is not None and ready[0] <= index:
            done += hearing.answer(ready[1])
            ready = None
    return done + hearing.finish()


def texts(done: list[Found]) -> list[str]:
    return [s.transcript.text if s.transcript else "?" for s in done]


TWO = said("This is the river ferry. My name is Joe and I am the captain here.")


@pytest.mark.parametrize("agreement", [1, 2, 3])
def test_a_sentence_goes_while_the_next_one_is_spoken(agreement: int) -> None:
    first, *others = run(TWO, live=True, agreement=agreement)
    assert first.transcript is not None
    assert first.transcript.text == "This is the river ferry."
    assert first.utterance.ended_by == "cut"
    assert " ".join(texts(others)) == "My name is Joe and I am the captain here."
    assert others[0].utterance.slot.start == pytest.approx(1.5 * TICK_RATE, abs=0.1 * TICK_RATE)


def test_offline_sentences_are_units_too() -> None:
    assert texts(run(TWO, live=False)) == [
        "This is the river ferry.",
        "My name is Joe and I am the captain here.",
    ]


def test_a_pause_in_a_sentence_is_waited_through() -> None:
    speech = [*said("It leaves in the"), *said("morning.", 1.2 + 0.7)]
    (spoken,) = run(speech, live=True)
    assert texts([spoken]) == ["It leaves in the morning."]
    assert spoken.utterance.slot.end == pytest.approx(2.2 * TICK_RATE, abs=0.1 * TICK_RATE)


def test_a_pause_after_a_sentence_ends_it_early() -> None:
    speech = [*said("It leaves now."), *said("Hurry up please.", 0.9 + 0.4)]
    assert texts(run(speech, live=True)) == ["It leaves now.", "Hurry up please."]


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    speech = said("we cross the river every single day from here, until the last train leaves it")
    first, *_ = run(speech, live=True)
    assert texts([first]) == ["we cross the river every single day from here,"]


def test_a_cut_in_a_breath_leaves_the_breath_to_neither_slot() -> None:
    speech = [*said("This is the ferry."), *said("My name is Joe and so on.", 1.2 + 0.25)]
    first, second, *_ = run(speech, live=True)
    assert first.utterance.slot.end == pytest.approx(1.2 * TICK_RATE, abs=0.04 * TICK_RATE)
    assert second.utterance.slot.start == pytest.approx(1.45 * TICK_RATE, abs=0.04 * TICK_RATE)


@pytest.mark.parametrize(("pause", "heard"), [(0.0, "evening"), (0.2, "evening,")])
def test_a_pause_before_a_conjunction_is_written(pause: float, heard: str) -> None:
    speech = said("we swam across the river every evening")
    speech += said("because the ferry had left long before then", speech[-1].end + pause)
    first, *_ = run(speech, live=True)
    assert texts([first]) == [f"we swam across the river every {heard}"]


@pytest.mark.parametrize("late", [-0.25, 0.25])
def test_speech_before_a_cut_is_not_said_twice_though_its_times_differ(late: float) -> None:
    speech = said("we cross the river every single day from here, and then we come home again")
    done = run(speech, live=True, late=late)
    assert len(done) > 1
    assert " ".join(texts(done)) == written(speech)


def test_what_follows_a_cut_is_heard_with_what_came_before() -> None:
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False, context=2.0)
    segmenter.push(np.zeros(200 * WINDOW, np.float32), np.full(200, 0.9, np.float32))
    segmenter.cut(5 * SPEECH_RATE)
    segmenter.push(np.zeros(10 * WINDOW, np.float32), np.full(10, 0.9, np.float32))
    draft = segmenter.draft()
    assert draft is not None and draft.resumed
    assert (draft.onset, draft.start) == (5 * SPEECH_RATE, 3 * SPEECH_RATE)
    assert draft.end == 210 * WINDOW


@pytest.mark.parametrize(("pause", "context"), [(25, 2.0), (60, None)])
def test_what_follows_a_short_pause_is_heard_with_what_came_before(
    pause: int, context: float | None
) -> None:
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False, context=2.0)
    speech = [0.9] * 100 + [0.02] * pause + [0.9] * 10
    sound = np.arange(len(speech) * WINDOW, dtype=np.float32)
    (before,) = segmenter.push(sound, np.float32(speech))
    draft = segmenter.draft()
    assert draft is not None and draft.resumed == (context is not None)
    begins = 100 * WINDOW - 2 * SPEECH_RATE if context else (100 + pause) * WINDOW - 2400
    assert (draft.start, draft.audio[0]) == (begins, begins)
    assert draft.onset == (100 + pause) * WINDOW
    assert before.slot.end == 100 * WINDOW * 3


def test_what_is_heard_after_a_pause_is_said_once() -> None:
    speech = [*said("We came home late."), *said("late trains are slow.", 1.2 + 0.45)]
    done = run(speech, live=True)
    assert texts(done) == ["We came home late.", "late trains are slow."]


def test_speech_is_not_cut_again_where_it_was_cut_already() -> None:
    """On a machine that stood still, one answer is about more than one unit."""
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False)
    policy = Units(OPTIONS, "en", live=True)
    incremental = Incremental(segmenter, LocalAgreement(1), policy, step=0.5)
    speech = said("one two three four five six seven eight nine ten " * 3)
    speech[27] = replace(speech[27], text="eight,")
    windows = round(9 * SPEECH_RATE / WINDOW)
    sound = np.full(windows * WINDOW, 0.1, np.float32)
    sound[5 * SPEECH_RATE :][: SPEECH_RATE // 10] = 0.0  # the quietest place is long past
    segmenter.push(sound, np.full(windows, 0.9, np.float32))
    draft = incremental.due()
    assert draft is not None
    incremental.recognised(draft, recognised(speech, draft))
    segmenter.push(np.full(150 * WINDOW, 0.1, np.float32), np.full(150, 0.9, np.float32))
    done = incremental.advance()
    assert texts(done)[0].endswith("eight,")
    assert len(done) <= 2
    assert all(spoken.utterance.slot.duration >= 0.2 * TICK_RATE for spoken in done)
    assert incremental.due() is not None  # more has to be heard first


def test_speech_that_was_not_heard_is_left_to_be_heard_whole() -> None:
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False)
    policy = Units(OPTIONS, "en", live=True)
    incremental = Incremental(segmenter, LocalAgreement(2), policy, step=0.5)
    ended = []
    for probability in [0.9] * 40 + [0.02] * 20:
        ended += segmenter.push(np.zeros(WINDOW, np.float32), np.float32([probability]))
        if (draft := incremental.due()) is not None:
            incremental.failed(draft)
        assert incremental.advance() == []
    assert [incremental.known(utterance).transcript for utterance in ended] == [None]


def test_of_what_was_heard_in_part_all_is_heard_again() -> None:
    speech = said("we cross the river every single day")
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False)
    incremental = Incremental(
        segmenter, LocalAgreement(1), Units(OPTIONS, "en", live=True), step=0.5
    )
    answers = [True, False, False, False, False]
    done: list[Found] = []
    for index in range(120):
        voice = 0.9 if index * WINDOW < speech[-1].end * SPEECH_RATE else 0.02
        ended = segmenter.push(np.full(WINDOW, 0.1, np.float32), np.float32([voice]))
        done += map(incremental.known, ended)
        if (draft := incremental.due()) is not None:
            if answers.pop(0):
                incremental.recognised(draft, recognised(speech, draft))
            else:
                incremental.failed(draft)
        assert incremental.advance() == []
    assert len(answers) < 4  # one was heard, and another was not
    assert texts(done) == ["?"]


SENTENCES = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["", ",", ".", "?"]), st.floats(0, 1.5)),
    min_size=1,
    max_size=5,
)


@given(SENTENCES, st.booleans(), st.integers(0, 12), st.integers(1, 3))
def test_everything_said_is_said_once_in_its_own_slot(
    parts: list[tuple[int, str, float]], live: bool, delay: int, agreement: int
) -> None:
    speech: list[Word] = []
    at = 0.5
    for count, mark, pause in parts:
        names = [f"w{len(speech) + i}" for i in range(count)]
        names[-1] += mark
        speech += said(" ".join(names), at)
        at = speech[-1].end + pause
    done = run(speech, live=live, delay=delay if live else 0, agreement=agreement)
    assert [s.utterance.id for s in done] == list(range(len(done)))
    for left, right in pairwise(done):
        assert left.utterance.slot.end <= right.utterance.slot.start
    for spoken in done:
        slot = spoken.utterance.slot
        inside = [w for w in speech if slot.start <= (w.start + w.end) / 2 * TICK_RATE < slot.end]
        if spoken.transcript is not None:
            text, words = spoken.transcript.text, written(inside)
            assert text.replace(",", "") == words.replace(",", "")  # pauses become commas
    covered = [
        w
        for w in speech
        if any(
            s.utterance.slot.start <= (w.start + w.end) / 2 * TICK_RATE < s.utterance.slot.end
            for s in done
        )
    ]
    assert covered == speech


def test_ends_of_sentences_and_clauses() -> None:
    words = said("Mr. Smith paid 3.5 dollars, then left. He said: no")
    assert sentence_ends(words) == [7]
    assert clause_ends(words) == [5, 9]
    assert sentence_ends(said("So it goes...")) == []
    assert sentence_ends(said("Does it?")) == [2]


def test_text_without_times_is_a_word_as_long_as_the_speech() -> None:
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False)
    policy = Units(OPTIONS, "en", live=True)
    incremental = Incremental(segmenter, LocalAgreement(1), policy, step=0.5)
    segmenter.push(np.zeros(50 * WINDOW, np.float32), np.float32([0.9] * 42 + [0.02] * 8))
    draft = incremental.due()
    assert draft is not None
    incremental.recognised(draft, Transcript("all of it", "en"))
    (ended,) = segmenter.push(np.zeros(20 * WINDOW, np.float32), np.full(20, 0.02, np.float32))
    found = incremental.known(ended)
    assert found.transcript is not None and found.transcript.text == "all of it"
    (word,) = found.transcript.words
    assert (word.start, word.end) == (0.0, 42 * WINDOW / SPEECH_RATE)


def test_no_words_no_verdict() -> None:
    outlook = Outlook([], 0, True, 0.0, 5.0, 2.0)
    verdict = Units(OPTIONS, "en", live=True).decide(outlook)
    assert (verdict.take, verdict.hold) == (0, False)
