"""Dubs that are played while they are still being made; the viewer is 4 s behind."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from stream.clock.pacing import Offline
from stream.dub.fit import FitOptions
from stream.dub.job import Spoken
from stream.dub.lateness import Lateness
from stream.dub.voice import Voice
from stream.frames import Fate, Manner, Samples
from stream.timeline import TICK_RATE, Interval, ticks
from tests.helpers.booth import Booth, Said
from tests.helpers.dubbing import Tones, tone

pytestmark = pytest.mark.virtual_time

DELAY = 4.0


def spoken(booth: Booth, id_: int = 0) -> Spoken:
    record = booth.jobs[id_].spoken
    assert record is not None
    return record


def at(start: float, end: float) -> Interval:
    return Interval(ticks(start), ticks(end))


async def test_a_dub_is_streamed_when_its_time_comes_before_it_is_complete() -> None:
    voice = Tones(takes=0.5, pieces=2, apart=1.0)
    booth = Booth(voice)
    # Asked for at 4.5, its first half is there at 5.0 and the second at 6.0. It is placed 0.4 s
    # before its time, at 5.6.
    await booth.run(Said(2, 3, at=4.5))
    job = booth.jobs[0]
    assert spoken(booth).streamed and not spoken(booth).truncated
    assert job.available == pytest.approx(3.6, abs=1e-9)
    assert spoken(booth).pieces == pytest.approx((0.5, 1.5), abs=1e-9)
    assert (job.fate, job.dub) == (Fate.ON_TIME, at(2, 3))
    assert job.played is not None and job.played.starved == 0


async def test_what_is_complete_before_that_is_fitted_by_its_exact_length() -> None:
    booth = Booth(Tones(takes=0.5, pieces=2, apart=0.59))
    await booth.run(Said(2, 3, at=4.5))
    assert not spoken(booth).streamed
    assert booth.jobs[0].available == pytest.approx(3.59, abs=1e-9)


async def test_a_dub_starves_until_its_next_piece_has_come() -> None:
    booth = Booth(Tones(takes=0.5, pieces=2, apart=2.2), lateness=Lateness(patience=1.0))
    # The second half comes at 7.2; the first was heard from 6.0 to 6.5.
    await booth.run(Said(2, 3, at=4.5))
    job = booth.jobs[0]
    assert job.fate is Fate.ON_TIME and job.fault is None and job.played is not None
    assert job.played.starved == pytest.approx(ticks(0.7), abs=ticks(0.2))
    assert job.played.interval.end == ticks(3) + job.played.starved


async def test_patience_with_a_piece_ends_half_a_second_after_it_is_missed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    voice = Tones(takes=0.5, pieces=2, hangs={"a" * 10: 1})
    booth = Booth(voice)
    await booth.run(Said(2, 3, at=4.5), Said(6, 7, at=7))
    job = booth.jobs[0]
    assert job.fault == "tts: speech broke off in the middle"
    assert (job.fate, job.dub) == (Fate.ON_TIME, at(2, 2.5))
    # It ran dry at 6.5, and 0.5 s later nobody expected more.
    assert job.latency["tts"] == pytest.approx(7.0 - 4.5, abs=1e-9)
    assert voice.speaking == 0
    assert booth.jobs[1].fate is Fate.ON_TIME
    assert "utterance 0: tts: speech broke off in the middle" in caplog.text


async def test_the_original_comes_back_when_a_dub_breaks_off() -> None:
    for hangs, level in (({}, 0.1 * 10 ** (-18 / 20)), ({"a" * 20: 1}, 0.1)):
        booth = Booth(Tones(takes=0.5, pieces=2, apart=0.2, hangs=hangs))
        await booth.run(Said(2, 4, at=4.5))
        bed = booth.viewer.sound[:, 0]
        dub = booth.viewer.dub
        assert dub[ticks(2.1) : ticks(2.2)].any()
        late = slice(ticks(3.9), ticks(3.95))
        assert np.abs(bed[late] - dub[late]).mean() == pytest.approx(level, rel=0.01)


async def test_a_fault_after_something_was_heard_breaks_the_dub_off() -> None:
    faults = {"a" * 10: (2, ValueError())}
    booth = Booth(Tones(takes=0.5, pieces=4, apart=0.6, faults=faults))
    await booth.run(Said(2, 3, at=4.5))
    job = booth.jobs[0]
    # Pieces came at 5.0 and 5.6, when it was placed; the fault with the third, at 6.2.
    assert job.fault == "tts: ValueError" and job.fate is Fate.ON_TIME
    assert job.dub == at(2, 2.5)
    assert spoken(booth).interval == at(2, 2.5)


async def test_of_speech_that_turns_out_longer_the_rest_is_faster() -> None:
    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        await asyncio.sleep(0.5)
        yield tone(0.5)
        await asyncio.sleep(0.9)
        yield tone(0.6)

    booth = Booth(Voice(synthesise, TICK_RATE, (1, 1), 10.0), fit=FitOptions(borrow=0))
    await booth.run(Said(2, 3, at=4.5), Said(3, 4, at=8.0, known=4.5))
    record = spoken(booth)
    assert record.streamed and not record.truncated
    # Placed for a second; 0.6 s of speech into what was left, half a second.
    assert record.interval == at(2, 3)
    assert booth.jobs[0].fate is Fate.ON_TIME


async def test_what_is_left_when_the_place_is_full_is_spoken_as_fast_as_may_be() -> None:
    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        for seconds in (1.0, 1.0, 0.5):
            await asyncio.sleep(0.5)
            yield tone(seconds)

    booth = Booth(Voice(synthesise, TICK_RATE, (1, 1), 10.0), fit=FitOptions(borrow=0, shift=0.6))
    await booth.run(Said(2, 3, at=5.2), Said(3, 4, at=8.1, known=5.2))
    record = spoken(booth)
    assert record.streamed and record.truncated
    assert record.interval.end <= ticks(3.6)
    assert record.interval.duration == pytest.approx(ticks(1.6), abs=ticks(0.3))


async def test_by_pieces_each_has_its_own_tempo() -> None:
    fit = FitOptions(strategy="chunk")
    booth = Booth(Tones(takes=0.5, pieces=2, apart=0.5), fit=fit)
    await booth.run(Said(2, 3, "x" * 9, at=3.5))
    record = spoken(booth)
    assert record.streamed  # at once, and not when its time comes
    assert record.interval.duration == pytest.approx(ticks(0.9 / 0.92), abs=2)
    assert booth.jobs[0].available == pytest.approx(2.0, abs=1e-9)


async def test_offline_nothing_starves_though_pieces_come_slowly() -> None:
    fit = FitOptions(strategy="chunk")
    booth = Booth(Tones(takes=0.5, pieces=7, apart=3.0), Offline(), fit=fit)
    await booth.run(Said(2, 3), Said(5, 6))
    assert [job.played.starved for job in booth.jobs if job.played] == [0, 0]
    assert [job.dub for job in booth.jobs] == [at(2, 3), at(5, 6)]


async def test_offline_too_a_voice_that_hangs_in_the_middle_costs_its_dub_alone() -> None:
    voice = Tones(takes=0.5, pieces=2, hangs={"a" * 10: 1})
    booth = Booth(voice, Offline(), fit=FitOptions(strategy="chunk"), deadline=20.0)
    await booth.run(Said(2, 3), Said(5, 6))
    first, second = booth.jobs
    assert first.fault == "tts: speech broke off in the middle"
    assert first.latency["tts"] == pytest.approx(20.0, abs=1e-9)
    assert (first.dub, second.dub) == (at(2, 2.5), at(5, 6))
