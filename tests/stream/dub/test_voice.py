"""The synthesiser as a dub uses it: rate, length, and checks of what it gives."""

import contextlib
import math
import time
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from stream.clock.pacing import Offline, Pacing, RealTime
from stream.dub.duration import DurationModel
from stream.dub.fit import FitOptions
from stream.dub.job import StageFault
from stream.dub.voice import Reader, Reading, Voice
from stream.frames import Manner, Samples
from stream.timeline import TICK_RATE, Interval, seconds, ticks
from tests.helpers.dubbing import Tones, tone

pytestmark = pytest.mark.virtual_time
SLOT = Interval(ticks(2), ticks(3))


def reader(voice: Voice | Tones, pacing: Pacing | None = None) -> Reader:
    pacing = pacing or Offline()
    pacing.start()
    return Reader(voice.voice() if isinstance(voice, Tones) else voice, pacing, FitOptions())


async def read(reader: Reader, reading: Reading) -> Samples:
    return np.concatenate([piece async for piece in reader.read(reading)])


@pytest.mark.parametrize(
    ("letters", "rate"), [(2, 0.9), (9, 0.9), (10, 1.0), (11, 1.1), (12, 1.2), (40, 1.2)]
)
async def test_the_rate_fills_the_slot_as_far_as_it_is_natural(letters: int, rate: float) -> None:
    reading = reader(Tones().voice((0.9, 1.2))).reading("x" * letters, SLOT, "S1")
    assert reading.rate == pytest.approx(rate)
    assert reading.expected == round(ticks(letters / 10) / reading.rate)


async def test_a_voice_is_cast_for_its_speaker() -> None:
    voice = Tones().voice(cast=lambda speaker, time: f"{speaker} {time}")
    assert reader(voice).reading("x", SLOT, "S2").voice == f"S2 {SLOT.start}"


async def test_an_engine_is_given_until_the_viewer_sees_the_slot() -> None:
    voice = Tones(takes=0.0)
    pacing = RealTime(4.0)
    one = reader(voice, pacing)
    before = time.monotonic()
    await read(one, one.reading("x" * 10, SLOT, "S1"))
    ((_, _, manner),) = voice.asked
    assert manner.deadline is not None
    assert before + 6.0 <= manner.deadline <= time.monotonic() + 6.0
    assert (manner.room, manner.speaker, manner.rate) == (1.0, "S1", 1.0)


async def test_speech_is_at_48_kilohertz_and_of_its_own_length() -> None:
    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        for part in np.array_split(tone(1.0, 22_050), 3):
            yield part

    one = reader(Voice(synthesise, 22_050, (1, 1), 10.0))
    sound = await read(one, one.reading("x" * 10, SLOT, "S1"))
    assert abs(len(sound) - TICK_RATE) <= 3


async def test_when_pieces_came_is_told() -> None:
    one = reader(Tones(takes=0.5, pieces=3, apart=0.25))
    reading = one.reading("x" * 10, SLOT, "S1")
    await read(one, reading)
    assert reading.pieces == pytest.approx((0.5, 1.0), abs=1e-9)


async def test_how_long_it_takes_is_learnt_at_rate_one() -> None:
    class Slow(Tones):
        async def synthesise(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
            yield tone(2.0)

    one = reader(Slow().voice((0.5, 2.0)))
    reading = one.reading("x" * 40, Interval(0, ticks(4)), "S1")
    assert reading.rate == 1.0
    await read(one, reading)
    # A quarter of the way from 4 s to 2 s.
    assert one.expected("x" * 40) == pytest.approx(ticks(3.5), abs=1)


@pytest.mark.parametrize(
    ("pieces", "fault"),
    [
        ([], "no speech came back"),
        ([0.0], "no speech came back"),
        ([math.nan], "not numbers"),
        ([3.0, 2.9], None),
        ([3.0, 3.1], "over 6 s of speech for 10 characters"),
    ],
)
async def test_what_an_engine_gives_is_checked(pieces: list[float], fault: str | None) -> None:
    closed: list[bool] = []

    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        try:
            for length in pieces:
                yield np.float32([math.nan]) if math.isnan(length) else tone(length)
        finally:
            closed.append(True)

    one = reader(Voice(synthesise, TICK_RATE, (1, 1), 10.0))
    reading = one.reading("x" * 10, SLOT, "S1")
    if fault is None:
        assert seconds(len(await read(one, reading))) == pytest.approx(5.9)
    else:
        with pytest.raises(StageFault, match=fault):
            await read(one, reading)
        assert one.expected("x" * 10) == TICK_RATE  # nothing was learnt
    assert closed == [True]


async def test_who_stops_reading_stops_the_engine() -> None:
    voice = Tones(pieces=3)
    one = reader(voice)
    async with contextlib.aclosing(one.read(one.reading("x" * 10, SLOT, "S1"))) as pieces:
        await anext(pieces)
        assert voice.speaking == 1
    assert voice.speaking == 0


@pytest.mark.parametrize(
    ("text", "units"),
    [("abc", 3), ("a b", 3), ("a, b", 6), ("a. b.", 8), ("12", 8), ("¿qué?", 3), ("...", 0)],
)
def test_digits_are_words_and_marks_are_pauses(text: str, units: int) -> None:
    assert DurationModel(10.0).expected(text) == ticks(units / 10)


def test_nothing_is_learnt_from_what_says_nothing() -> None:
    model = DurationModel(10.0)
    model.observe("...", TICK_RATE, 1.0)
    model.observe("abc", 0, 1.0)
    assert model.expected("abc") == ticks(0.3)
