import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tts.xtts.pauses import Pauses
from stream.frames import Samples

RATE = 1000


def tone(seconds: float) -> Samples:
    return (0.5 * np.sin(np.arange(round(seconds * RATE)) * 1.3)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def passed(pieces: list[Samples], text: str = "One.", rate: float = 1.0) -> Samples:
    pauses = Pauses(RATE, rate)
    return np.concatenate([*(pauses.push(piece) for piece in pieces), pauses.end(text)])


@given(st.lists(st.integers(0, 700), max_size=8), st.lists(st.integers(1, 400), max_size=30))
def test_any_cutting_into_pieces_gives_the_same(parts: list[int], cuts: list[int]) -> None:
    sounds = [tone(n / 1000) if i % 2 else silence(n / 1000) for i, n in enumerate(parts)]
    whole = np.concatenate([silence(0), *sounds])
    places = np.unique(np.cumsum(cuts)[np.cumsum(cuts) < len(whole)]) if cuts else []
    assert np.array_equal(passed([whole]), passed(np.split(whole, places)))


@given(st.floats(0, 1), st.floats(0, 1))
def test_silence_at_the_ends_is_cut_to_20_ms(before: float, after: float) -> None:
    audio = passed([silence(before), tone(0.5), silence(after)])
    assert 500 <= len(audio) <= 500 + 2 * 25


@pytest.mark.parametrize(("pause", "left"), [(0.1, 0.1), (0.3, 0.3), (1.5, 0.35)])
def test_long_pauses_inside_are_shortened(pause: float, left: float) -> None:
    audio = passed([tone(0.5), silence(pause), tone(0.5)])
    assert len(audio) == pytest.approx(1000 * (1 + left), abs=10)


def test_punctuation_decides_the_pause_between_portions() -> None:
    pauses = Pauses(RATE, 1.0)
    lengths = []
    for text in ("One.", "two,", "three", "four!"):
        lengths.append(len(pauses.push(tone(0.5))) + len(pauses.end(text)))
    assert [length - 500 for length in lengths] == [0, 300, 150, 40]


def test_a_silent_portion_leaves_no_trace() -> None:
    pauses = Pauses(RATE, 1.0)
    assert len(pauses.push(silence(0.5))) == len(pauses.end("a.")) == 0
    assert len(pauses.push(tone(0.5))) + len(pauses.end("b.")) == 500


def test_what_was_heard_is_told_in_seconds() -> None:
    pauses = Pauses(RATE, 1.0)
    pauses.push(np.concatenate([tone(0.5), silence(0.2), tone(0.3), silence(0.4)]))
    heard = pauses.progress
    assert heard.spoken == pytest.approx(1.0, abs=0.02)
    assert heard.pauses == 1
    assert heard.silence == pytest.approx(0.4, abs=0.02)
