import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.tts.joining import joined, trimmed
from stream.frames import Samples

RATE = 1000


def tone(seconds: float, before: float = 0.0, after: float = 0.0) -> Samples:
    wave = 0.5 * np.sin(np.arange(round(seconds * RATE)) * 1.3)
    edges = (round(before * RATE), round(after * RATE))
    return np.pad(wave, edges).astype(np.float32)


@given(st.floats(0, 1), st.floats(0, 1))
def test_silence_is_trimmed_to_20_ms(before: float, after: float) -> None:
    audio = trimmed(tone(0.5, before, after), RATE)
    assert 500 <= len(audio) <= 500 + 2 * 25


def test_silence_alone_is_nothing() -> None:
    assert len(trimmed(np.zeros(500, np.float32), RATE)) == 0
    assert len(trimmed(np.zeros(0, np.float32), RATE)) == 0


def test_pauses_follow_punctuation_and_rate() -> None:
    audio = tone(0.5)
    texts = ["One.", "two,", "three", 'four!"', "five."]
    whole = list(joined([(text, audio) for text in texts], RATE, 1.0))
    assert [len(piece) - 500 for piece in whole] == [0, 300, 150, 40, 300]
    fast = list(joined([(text, audio) for text in texts], RATE, 2.0))
    assert [len(piece) - 500 for piece in fast] == [0, 150, 75, 20, 150]


def test_silent_portions_leave_no_trace() -> None:
    silence = np.zeros(300, np.float32)
    whole = list(joined([("a.", silence), ("b.", tone(0.5)), ("c.", silence)], RATE, 1.0))
    assert [len(piece) for piece in whole] == [500]


def test_overloads_are_clipped() -> None:
    (piece,) = joined([("a", tone(0.5) * 4)], RATE, 1.0)
    assert np.abs(piece).max() == 1
