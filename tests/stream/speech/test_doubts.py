"""What speaks against a transcript."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import Transcript, Word
from stream.speech.doubts import LONG_S, SPARSE, UNSURE, Doubt, doubts


def heard(text: str, probability: float = 0.95) -> Transcript:
    words = [Word(word, n, n + 0.5, probability) for n, word in enumerate(text.split())]
    return Transcript(text, "en", tuple(words))


@pytest.mark.parametrize(
    ("transcript", "speech_s", "found"),
    [
        (heard("Playing on TV."), 8.8, (Doubt.FEW_WORDS,)),
        (heard("Sure."), 0.4, ()),
        (heard("develops theories that take no account of where we are"), 8.1, ()),
        (heard("We shall see."), 1.9, ()),
        (heard("For them gazettes state Anture Hooter.", 0.4), 2.4, (Doubt.MISHEARD,)),
        (heard("They did.", 0.3), 4.0, (Doubt.MISHEARD, Doubt.FEW_WORDS)),
        (heard("...", 0.1), 4.0, ()),
        (heard(""), 4.0, ()),
        (heard("我们明天早上见"), 2.5, ()),
        (Transcript("A human's text has no probabilities", "en"), 2.5, ()),
    ],
)
def test_what_is_found(transcript: Transcript, speech_s: float, found: tuple[Doubt, ...]) -> None:
    assert doubts(transcript, speech_s) == found


@given(st.text("abc .", max_size=40), st.floats(0, 1), st.floats(0, 30), st.floats(0, 30))
def test_more_speech_and_less_certainty_never_lessen_doubt(
    text: str, probability: float, short: float, more: float
) -> None:
    before = doubts(heard(text, probability), short)
    after = doubts(heard(text, probability * 0.9), short + more)
    assert set(before) <= set(after)
    if Doubt.FEW_WORDS in after:
        assert short + more >= LONG_S and len(text) < (short + more) * SPARSE
    assert (Doubt.MISHEARD in after) <= (probability * 0.9 < UNSURE)
