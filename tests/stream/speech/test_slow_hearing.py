"""Recognition that is slow, or fails."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.asr.units import Units
from stream.frames import SPEECH_RATE, Transcript
from stream.speech.agreement import LocalAgreement
from stream.speech.hearing import Hearing
from stream.speech.incremental import Found, Incremental, since_onset
from stream.speech.lengths import SegmentOptions
from stream.speech.reaction import SHORT_S, USUAL_S, Reaction
from stream.speech.segment import Segmenter
from stream.timeline import TICK_RATE
from tests.helpers.examples import examples
from tests.helpers.perfect_recogniser import recognised, said

WINDOW = 512
OPTIONS = SegmentOptions(soft_length=2.5, max_length=4.0)


def _talked_on(answers: list[tuple[int, bool]], ages: list[float] | None = None) -> list[Found]:
    """Speech without an end; each request takes so many windows, and may fail.

    ``ages`` gets the seconds from the beginning of each utterance to its being known.
    """
    speech = said("w " * 200)
    segmenter = Segmenter(OPTIONS, WINDOW, breaths=False, context=2.0)
    policy = Units(OPTIONS, "en", live=True)
    incremental = Incremental(segmenter, LocalAgreement(1), policy, step=0.5)
    hearing = Hearing(segmenter, incremental, inline=False)
    done: list[Found] = []
    ready: tuple[int, Transcript | None] | None = None
    took = 0
    for index in range(600):
        known = len(done)
        done += hearing.push(np.full(WINDOW, 0.1, np.float32), np.float32([0.9]))
        if ready is not None and index >= ready[0]:
            done += hearing.answer(ready[1], took * WINDOW / SPEECH_RATE)
            ready = None
        if ages is not None:
            now = (index + 1) * WINDOW / SPEECH_RATE
            ages += [now - each.utterance.slot.start / TICK_RATE for each in done[known:]]
        if answers and (draft := hearing.due()) is not None:
            took, answered = answers.pop(0)
            own = since_onset(draft, recognised(speech, draft)) if answered else None
            ready = index + took, own
    return done


def test_however_slowly_speech_is_heard_nothing_is_cut_that_is_not_known() -> None:
    done = _talked_on([(120, True)] * 5)  # 3.8 s a hearing, and units of 4 s
    assert len(done) >= 3
    assert all(spoken.transcript is not None for spoken in done)


@examples(0.3)
@given(st.integers(0, 30))
def test_the_slower_speech_is_heard_the_sooner_it_is_cut(took: int) -> None:
    ages: list[float] = []
    _talked_on([(took, True)] * 100, ages)
    # Once it is known how long hearing takes, a unit is known as soon as where that is usual.
    late = OPTIONS.max_length + USUAL_S + 3 * WINDOW / SPEECH_RATE
    assert len(ages) > 4 and max(ages[2:]) <= late


def test_speech_that_cannot_be_heard_is_cut_at_its_longest_all_the_same() -> None:
    done = _talked_on([(10, False)] * 100)
    assert len(done) >= 3
    assert all(spoken.transcript is None for spoken in done)
    assert max(spoken.utterance.slot.duration for spoken in done) <= 6.5 * TICK_RATE


def test_a_slow_machine_hears_less_often() -> None:
    calls = []
    for took in (0.0, 1.0):
        segmenter = Segmenter(SegmentOptions(soft_length=20, max_length=20), WINDOW)
        policy = Units(OPTIONS, "en", live=False)
        incremental = Incremental(segmenter, LocalAgreement(2), policy, step=0.5)
        calls.append(0)
        for _ in range(300):
            segmenter.push(np.zeros(WINDOW, np.float32), np.float32([0.9]))
            if (draft := incremental.due()) is not None:
                incremental.recognised(draft, Transcript("", "en"), took)
                calls[-1] += 1
    assert calls == [17, 5]


@given(st.lists(st.floats(0, 5), min_size=1), st.floats(0.5, 10))
def test_a_cut_is_due_sooner_only_for_slow_calls(calls: list[float], longest: float) -> None:
    reaction = Reaction(longest)
    assert reaction.ahead == 0
    for took in calls:
        reaction.took(took)
    assert 0 <= reaction.ahead <= max(max(calls) - USUAL_S, 0) + 1e-9
    assert longest - reaction.ahead >= min(longest, SHORT_S) - 1e-9
    if min(calls) >= USUAL_S:
        assert reaction.ahead >= min(min(calls) - USUAL_S, max(longest - SHORT_S, 0)) - 1e-9
