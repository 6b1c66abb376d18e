"""What a transcript leaves out of the speech that was detected is heard again."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import SPEECH_RATE, Samples, Transcript, Utterance, Word, written
from stream.speech.account import SILENCE_S, left_out, of_draft, of_utterance
from stream.speech.segment import Draft
from stream.timeline import Interval, ticks

pytestmark = pytest.mark.virtual_time


def said(text: str, start: float = 0.0, each: float = 0.3) -> list[Word]:
    return [
        Word(word, start + each * i, start + each * (i + 1), 1.0)
        for i, word in enumerate(text.split())
    ]


class Forgetful:
    """A recogniser that knows what is said, and says of each call only a part of it.

    Args:
        speech: all words.
        gives: for each call, from which to which word it gives of those that it is given.
    """

    def __init__(self, speech: Sequence[Word], gives: Sequence[slice | Exception]) -> None:
        self._speech, self._gives = speech, list(gives)
        self.lengths: list[float] = []
        self.takes = 0.0

    async def __call__(self, audio: Samples) -> Transcript:
        self.lengths.append(len(audio) / SPEECH_RATE)
        await asyncio.sleep(self.takes)
        give = self._gives.pop(0)
        if isinstance(give, Exception):
            raise give
        # The sound is a ramp that says of each sample when it is.
        offset = float(audio[-1]) - len(audio) / SPEECH_RATE
        first = offset + (SILENCE_S if audio[0] == 0 else 0) - 1e-3
        inside = [w for w in self._speech if w.start >= first]
        words = tuple(Word(w.text, w.start - offset, w.end - offset, 1.0) for w in inside)[give]
        return Transcript(written(words), "en", words)


def draft(speech: Sequence[Word], *stretches: tuple[float, float], onset: float = 0.0) -> Draft:
    """All that was said and a second of silence after it; the time of each sample as its value."""
    end = speech[-1].end + 1.0
    sound = np.arange(1, round(end * SPEECH_RATE) + 1, dtype=np.float32) / SPEECH_RATE
    parts = stretches or ((onset, speech[-1].end),)
    samples = tuple((round(a * SPEECH_RATE), round(b * SPEECH_RATE)) for a, b in parts)
    voiced, first = samples[-1][1], round(onset * SPEECH_RATE)
    return Draft(first, 0, sound, voiced, samples, resumed=onset > 0)


TWO = said("from Netflix to my TV.") + said("playing it on TV. From the people that brought", 2.5)


async def test_a_pass_that_ends_after_the_first_sentence_goes_on_from_there() -> None:
    hears = Forgetful(TWO, [slice(0, 5), slice(0, None)])
    heard = await of_draft(draft(TWO, (0.0, 1.5), (2.5, 5.2)), hears, 9.0)
    assert heard.text == written(TWO)
    assert [(w.start, w.end) for w in heard.words] == [
        (pytest.approx(w.start, abs=1e-3), pytest.approx(w.end, abs=1e-3)) for w in TWO
    ]
    # From just before the second stretch, after a moment of silence.
    assert hears.lengths == [pytest.approx(6.2), pytest.approx(6.2 - 2.35 + SILENCE_S)]


async def test_a_pass_that_begins_with_the_second_word_begins_again() -> None:
    speech = said("what are you talking about")
    hears = Forgetful(speech, [slice(2, None), slice(0, None)])
    assert (await of_draft(draft(speech), hears, 9.0)).text == written(speech)


async def test_what_is_lost_with_its_context_is_heard_without_it() -> None:
    before, speech = said("catch the bad guys"), said("I think they have to be smart", 2.0)
    hears = Forgetful([*before, *speech], [slice(6, None), slice(0, None)])
    heard = await of_draft(draft([*before, *speech], (2.0, 4.1), onset=2.0), hears, 9.0)
    assert heard.text == written(speech)
    assert hears.lengths[1] < hears.lengths[0] - 1


async def test_what_is_left_out_twice_is_heard_three_times() -> None:
    speech = said("one two three four five six seven eight nine ten")
    hears = Forgetful(speech, [slice(0, 3), slice(0, 3), slice(0, None)])
    heard = await of_draft(draft(speech), hears, 9.0)
    assert heard.text == written(speech) and len(hears.lengths) == 3


async def test_words_stretched_over_what_was_not_heard_do_not_account_for_it() -> None:
    speech = said("the weather outside is sunny and it will be so all day long")
    hears = Forgetful(speech, [slice(0, None)])
    times = {"The": (0.0, 1.9), "day": (1.9, 3.7), "long": (3.7, 3.9)}
    stretched = [Word(word, start, end, 1.0) for word, (start, end) in times.items()]
    poor = Transcript(written(stretched), "en", tuple(stretched))

    async def recognise(audio: Samples) -> Transcript:
        return poor if len(audio) == len(whole.audio) else await hears(audio)

    whole = draft(speech)
    assert (await of_draft(whole, recognise, 9.0)).text.endswith("so all day long")
    assert len(hears.lengths) == 1


async def test_of_two_accounts_the_better_one_wins() -> None:
    hears = Forgetful(TWO, [slice(0, 5), slice(0, 0)])
    heard = await of_draft(draft(TWO, (0.0, 1.5), (2.5, 5.2)), hears, 9.0)
    assert heard.text == "from Netflix to my TV." and len(hears.lengths) == 2


@pytest.mark.parametrize("gives", [slice(0, None), slice(0, -1)])
async def test_what_is_accounted_for_is_heard_once(gives: slice) -> None:
    hears = Forgetful(TWO, [gives])  # the last word may be unfinished
    await of_draft(draft(TWO, (0.0, 1.5), (2.5, 5.2)), hears, 9.0)
    assert len(hears.lengths) == 1


@pytest.mark.parametrize(
    "transcript",
    [
        Transcript("text without times", "en"),
        Transcript("", "en", rejected="no speech"),
    ],
)
async def test_without_times_there_is_nothing_to_tell_by(transcript: Transcript) -> None:
    calls = []

    async def recognise(audio: Samples) -> Transcript:
        calls.append(len(audio))
        return transcript

    assert await of_draft(draft(TWO), recognise, 9.0) == transcript
    assert len(calls) == 1


async def test_a_second_hearing_that_fails_or_takes_too_long_costs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = draft(TWO, (0.0, 1.5), (2.5, 5.2))
    failing = Forgetful(TWO, [slice(0, 5), RuntimeError("no")])
    assert (await of_draft(whole, failing, 9.0)).text == "from Netflix to my TV."
    assert "was not recognised again: no" in caplog.text
    slow = Forgetful(TWO, [slice(0, 5), slice(0, None)])
    slow.takes = 2.0
    assert (await of_draft(whole, slow, 3.0)).text == "from Netflix to my TV."
    with pytest.raises(TimeoutError):
        slow._gives = [slice(0, 5)]
        await of_draft(whole, slow, 1.0)


async def test_an_utterance_that_has_ended_is_heard_to_its_last_word() -> None:
    whole = draft(TWO)
    speech = (Interval(ticks(10.0), ticks(11.5)), Interval(ticks(12.5), ticks(15.2)))
    slot = Interval(ticks(10.0), ticks(15.2))
    utterance = Utterance(0, slot, whole.audio, slot.start, "pause", speech=speech)
    hears = Forgetful(TWO, [slice(0, 5), slice(0, None)])
    assert (await of_utterance(utterance, hears)).text == written(TWO)


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 3)), max_size=12),
    st.lists(st.tuples(st.floats(0.05, 2), st.floats(0.05, 2)), max_size=6),
)
def test_what_is_left_out_is_speech_and_not_words(
    words: list[tuple[float, float]], parts: list[tuple[float, float]]
) -> None:
    speech, at = [], 0.0
    for silence, length in parts:
        speech.append((at + silence, at + silence + length))
        at += silence + length
    spoken = [Word("word", start, start + length, 1.0) for start, length in words]
    missing = left_out(spoken, speech)
    assert missing == sorted(missing)
    for first, last in missing:
        assert first < last
        assert any(start <= first and last <= end for start, end in speech)
        assert not any(first < word.start < last or first < word.end < last for word in spoken)
    assert left_out([], speech) == speech
