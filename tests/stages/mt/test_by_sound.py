"""Speech translated on from what was spoken of it."""

import asyncio
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.mt.by_sound import LONGEST, begun, by_sound, joined, parts
from stages.text.sentences import APART
from stream.dub.job import Heard, StageFault
from stream.frames import TICKS_PER_SAMPLE, Samples, Transcript, Utterance, Word
from stream.timeline import TICK_RATE, Interval, seconds, ticks

WORDS = {1: "We", 2: "cross", 3: "the", 4: "river."}
"""What a sample of so much stands for."""


class Model:
    """Hears a word in each loudness; knows what was spoken of them."""

    cost = 0.0

    def __init__(self, *, deaf: bool = False) -> None:
        self.asked: list[tuple[float, str]] = []
        self._deaf = deaf

    async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
        self.asked.append((len(speech) / 16_000, spoken))
        levels = speech[np.flatnonzero(np.diff(speech, prepend=0))]
        said = " ".join(WORDS[round(float(level))] for level in levels if level)
        if spoken and self._deaf:
            return ""
        return said.removeprefix(spoken).strip()

    async def aclose(self) -> None: ...


def _heard(number: int, start: float, *, speaker: str = "S1", text: str = "wort") -> Heard:
    """A word that takes a second."""
    slot = Interval(ticks(start), ticks(start + 1))
    sound = np.full(16_000, number, np.float32)
    utterance = Utterance(number, slot, sound, slot.start, "cut", speaker)
    return Heard(utterance, Transcript(text, "de", (Word(text, 0.0, 1.0, 1.0),)))


async def _said(model: Model, *heard: Heard, goes_on: bool = True) -> list[str]:
    translate = by_sound(model, goes_on=goes_on)
    async with asyncio.timeout(None) as limit:
        return [(await translate(each, limit)).text for each in heard]


async def test_what_was_spoken_is_how_the_translation_begins() -> None:
    model = Model()
    said = await _said(model, _heard(1, 0), _heard(2, 1.5), _heard(3, 2.5), _heard(4, 4))
    assert said == ["We", "cross", "the", "river."]
    assert model.asked == [(1.0, ""), (2.5, "We"), (3.5, "We cross"), (5.0, "We cross the")]


@pytest.mark.parametrize(
    ("first", "second", "with_first"),
    [
        ("Wort", _heard(2, 1 + seconds(APART) + 0.1), False),
        ("Wort", _heard(2, 1, speaker="S2"), False),
        ("Wort.", _heard(2, 1, text="Wort"), False),
        ("Wort.", _heard(2, 1, text="wort"), True),  # heard together, it was no end
        ("Wort,", _heard(2, 1, text="Wort"), True),
    ],
    ids=["after a long pause", "another speaker", "sentence", "lower case", "clause"],
)
async def test_a_sentence_goes_on(first: str, second: Heard, with_first: bool) -> None:
    model = Model()
    assert await _said(model, _heard(1, 0, text=first), second) == ["We", "cross"]
    assert model.asked[1] == ((2.0, "We") if with_first else (1.0, ""))


async def test_without_context_every_utterance_is_translated_by_itself() -> None:
    model = Model()
    assert await _said(model, _heard(1, 0), _heard(2, 1), goes_on=False) == ["We", "cross"]
    assert [spoken for _, spoken in model.asked] == ["", ""]


async def test_what_cannot_go_on_is_translated_by_itself_and_begins_anew() -> None:
    model = Model(deaf=True)
    assert await _said(model, _heard(1, 0), _heard(2, 1), _heard(3, 2)) == ["We", "cross", "the"]
    assert [spoken for _, spoken in model.asked] == ["", "We", "", "cross", ""]


async def test_the_mark_of_what_was_spoken_is_not_spoken_again() -> None:
    class Punctual(Model):
        async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
            said = await super().translate_speech(speech, spoken)
            return f", {said}" if spoken else said

    assert await _said(Punctual(), _heard(1, 0), _heard(2, 1)) == ["We", "cross"]


async def test_nothing_understood_is_a_fault() -> None:
    with pytest.raises(StageFault, match="no translation came back"):
        await _said(Model(), _heard(0, 0))


UTTERANCES = st.lists(st.tuples(st.floats(0, 2), st.floats(0.1, 4), st.booleans()), min_size=1)


@given(UTTERANCES)
def test_what_is_taken_along_is_near_and_short(made: list[tuple[float, float, bool]]) -> None:
    ends = list(accumulate(gap + length for gap, length, _ in made))
    said = []
    for number, ((_, length, same), end) in enumerate(zip(made, ends, strict=True)):
        slot = Interval(ticks(end - length), ticks(end))
        sound = np.full(slot.duration // TICKS_PER_SAMPLE, number + 1, np.float32)
        speaker = "S1" if same else "S2"
        utterance = Utterance(number, slot, sound, slot.start, "cut", speaker)
        said.append(Heard(utterance, Transcript("wort", "de")))
    *before, newest = said
    taken = [one.utterance for one, _ in parts([(one, "") for one in before], newest)]
    run, last = [*taken, newest.utterance], newest.utterance
    assert [one.id for one in run] == list(range(len(said)))[len(said) - len(run) :]
    assert len(run) == 1 or last.slot.end - run[0].slot.start <= LONGEST
    assert all(b.slot.start - a.slot.end <= APART for a, b in zip(run, run[1:], strict=False))
    assert {one.speaker for one in run} == {last.speaker}
    sound = joined(run)
    assert len(sound) <= (last.slot.end - run[0].slot.start) / TICK_RATE * 16_000 + 2
    for one in run:
        assert (sound == one.id + 1).sum() >= len(one.audio) - 2 * len(run)


def test_the_mark_at_the_end_is_left_open() -> None:
    assert begun(["In front of the law,", "a keeper..."]) == "In front of the law, a keeper"
