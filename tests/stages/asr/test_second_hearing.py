"""Of two models' hearings of an utterance, the one that is surer counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config import load
from server.engines.second import second_hearing
from stages.asr.second_hearing import MARGIN, certainty, surer
from stages.asr.stage import transcription
from stream.frames import Samples, Transcript, Utterance, Word, written
from stream.timeline import TICK_RATE, Interval


def heard(text: str, probability: float) -> Transcript:
    words = tuple(Word(word, at, at + 1.0, probability) for at, word in enumerate(text.split()))
    return Transcript(written(words), "en", words)


@dataclass
class Second:
    """Hears what it is told to, and counts."""

    transcript: Transcript
    calls: list[int] = field(default_factory=list)

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        self.calls.append(len(audio))
        return self.transcript

    async def aclose(self) -> None: ...


def said(known: Transcript, second: Second) -> Transcript:
    slot = Interval(0, 2 * TICK_RATE)
    utterance = Utterance(0, slot, np.zeros(32_000, np.float32), 0, "pause")
    return asyncio.run(transcription(second, second=second)(utterance, known))


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        # Measured: tiny.en, then base.
        (("all the fully of a fight", 0.86), ("all the folly of a fight", 0.96), "folly"),
        (("they convicted us of guilt", 0.86), ("they convicted", 0.4), "guilt"),
        (("I could eat it", 0.82), ("I could eat it add milk to my list", 0.89), "milk"),
        (("we will return", 0.9), ("and will return", 0.93), "We"),
    ],
)
def test_what_is_heard_more_surely_and_more_completely_counts(
    first: tuple[str, float], second: tuple[str, float], counts: str
) -> None:
    assert counts in said(heard(*first), Second(heard(*second))).text.split()


def test_where_no_words_were_found_nothing_is_heard_again() -> None:
    second = Second(heard("Thank you", 0.99))
    assert said(Transcript("", "en", rejected="no speech"), second).text == ""
    assert second.calls == []


def test_what_the_second_rejects_or_does_not_time_counts_for_nothing() -> None:
    first = heard("a real sentence", 0.3)
    for other in (Transcript("", "en", rejected="looping text"), Transcript("untimed", "en")):
        assert surer(first, other) == first


hearings = st.builds(
    heard,
    st.lists(st.sampled_from(["ferry", "boat", "river"]), min_size=1, max_size=12).map(" ".join),
    st.floats(0, 1),
)


@given(hearings, hearings)
def test_the_choice_is_one_of_both_and_never_clearly_the_less_certain(
    first: Transcript, second: Transcript
) -> None:
    chosen = surer(first, second)
    assert chosen in (first, second)
    assert certainty(chosen) >= max(map(certainty, (first, second))) - MARGIN


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        (["asr.model=tiny.en"], None),
        (["asr.model=tiny.en", "asr.second_model=auto"], "base"),
        (["asr.model=base", "asr.second_model=auto"], None),
        (["asr.model=base", "asr.second_model=small"], "small"),
        (["languages.source=auto", "asr.second_model=small"], None),
        (["asr.engine=mine:Engine", "asr.second_model=small"], None),
    ],
)
def test_who_hears_once_more(settings: list[str], model: str | None) -> None:
    own = second_hearing(load(assignments=settings, environment={}))
    assert (own and own.asr.model) == model
    assert own is None or own.asr.beam_size == 5
