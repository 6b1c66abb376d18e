import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import SPEECH_RATE
from stream.speech.history import History
from stream.speech.lengths import SOFT, Lengths, SegmentOptions, within_delay
from tests.helpers.dubbing import tone

LONG = SegmentOptions(soft_length=6.0, max_length=10.0)


def test_utterances_are_as_long_as_configured_where_the_delay_allows() -> None:
    assert within_delay(LONG, 60.0, 0.5, 1.0) is LONG


def test_a_short_delay_shortens_them() -> None:
    options = within_delay(LONG, 6.0, 0.4, 1.5)
    assert options.max_length == pytest.approx(4.5 / 1.5)
    assert options.soft_length == pytest.approx(SOFT * options.max_length)


def test_they_never_become_too_short_to_translate() -> None:
    options = within_delay(LONG, 1.0, 2.0, 3.0)
    assert (options.max_length, options.soft_length) == (1.5, 1.0)


@given(st.floats(1, 60), st.floats(0, 3), st.floats(0, 5))
def test_lengths_are_only_ever_shortened(delay: float, pace: float, reaction: float) -> None:
    options = within_delay(LONG, delay, pace, reaction)
    assert options.max_length <= LONG.max_length and options.soft_length <= LONG.soft_length


def test_lengths_in_samples() -> None:
    lengths = Lengths(SegmentOptions(pause=0.5, min_speech=0.25), 2.0, 1.0)
    assert (lengths.pause, lengths.min_speech, lengths.context) == (8000, 4000, 2 * SPEECH_RATE)
    assert lengths.near == SPEECH_RATE


def test_history_keeps_what_may_still_be_asked_for() -> None:
    sound = tone(3.0, SPEECH_RATE)
    history = History()
    history.push(sound[:SPEECH_RATE])
    history.push(sound[SPEECH_RATE:])
    history.forget(SPEECH_RATE)
    assert history.start == 0  # a second at a time
    history.forget(SPEECH_RATE + 1)
    assert history.start == SPEECH_RATE + 1
    assert (history.slice(SPEECH_RATE + 1, SPEECH_RATE + 9) == sound[SPEECH_RATE + 1 :][:8]).all()
