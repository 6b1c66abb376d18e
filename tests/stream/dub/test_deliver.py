"""One dub after another on a virtual clock: when it is ready, where it is played, and its fate.

The viewer is 4 s behind the source. Where nothing else is said, speech takes 0.7 s to make.
"""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.clock.pacing import Offline, RealTime
from stream.dub.fit import FitOptions
from stream.dub.job import Spoken
from stream.dub.lateness import Lateness
from stream.dub.voice import Voice
from stream.frames import SPEECH_RATE, Fate, Manner, Samples
from stream.timeline import TICK_RATE, Interval, ticks
from tests.helpers.dubbing import Booth, Said, Tones, live, tone
from tests.helpers.virtual_time import run_virtual

pytestmark = pytest.mark.virtual_time
DELAY = 4.0


def spoken(booth: Booth, id_: int = 0) -> Spoken:
    record = booth.jobs[id_].spoken
    assert record is not None
    return record


def at(start: float, end: float) -> Interval:
    return Interval(ticks(start), ticks(end))


async def test_a_dub_is_heard_in_its_slot_to_the_tick() -> None:
    voice = Tones(takes=0.7)
    booth = Booth(voice, RealTime(DELAY))
    await booth.run(Said(2, 3, at=3.5), Said(5, 6, at=6.5))
    assert [when for when, _, _ in voice.asked] == [3.5, 6.5]
    assert booth.viewer.heard() == [at(2, 3), at(5, 6)]
    for job, start in zip(booth.jobs, (2, 5), strict=True):
        assert (job.fate, job.fault, job.dub) == (Fate.ON_TIME, None, at(start, start + 1))
        # The source reached the slot 1.5 s before the words came, and speech took 0.7 s.
        assert job.available == pytest.approx(2.2, abs=1e-9)
        assert job.latency == pytest.approx({"mt": 0.0, "tts": 0.7, "total": 0.7}, abs=1e-9)
        assert job.spoken is not None and job.spoken.pieces == pytest.approx((0.7, 0.7), abs=1e-9)
        assert not (job.spoken.streamed or job.spoken.truncated)
        assert not len(job.utterance.audio)  # not kept
    assert np.array_equal(booth.viewer.dub[ticks(2) : ticks(3)], tone(1.0))


async def test_the_engine_is_told_how_it_shall_speak() -> None:
    asked: list[Manner] = []

    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        asked.append(manner)
        yield tone(1.0, 24_000)

    voice = Voice(synthesise, 24_000, (0.9, 1.1), 10.0, lambda speaker: f"voice of {speaker}")
    booth = Booth(voice, Offline())
    await booth.run(Said(2, 3, "x" * 20), Said(4, 5, "x" * 4), Said(6, 7, "x" * 10))
    assert [m.rate for m in asked] == pytest.approx([1.1, 0.9, 1.0], abs=0.15)
    assert (asked[0].rate, asked[1].rate) == (1.1, 0.9)
    assert {(m.speaker, m.voice, m.room, m.deadline) for m in asked} == {
        ("S1", "voice of S1", 1.0, None)
    }
    assert spoken(booth).voice == "voice of S1"
    assert booth.jobs[2].played is not None


async def test_a_dub_is_as_loud_as_the_original() -> None:
    booth = Booth(Tones())
    booth.speech = tone(1.0, SPEECH_RATE) / 3
    await booth.run(Said(2, 3))
    loudness = spoken(booth).loudness
    assert loudness is not None and loudness[0] == pytest.approx(loudness[1], abs=1e-6)
    heard = booth.viewer.dub[ticks(2) : ticks(3)]
    assert np.abs(heard).max() == pytest.approx(0.2 / 3, rel=0.02)


@pytest.mark.parametrize(
    ("ready", "onset", "fate"),
    [
        (5.99, 2.0, Fate.ON_TIME),
        (6.01, 2.02, Fate.ON_TIME),
        (6.07, 2.08, Fate.ON_TIME),
        (6.09, 2.1, Fate.LATE),
        (7.49, 3.5, Fate.LATE),
    ],
)
@pytest.mark.parametrize("running", [False, True])
async def test_a_dub_that_is_ready_too_late_is_heard_with_the_next_frame(
    ready: float, onset: float, fate: Fate, running: bool
) -> None:
    """Frames last 20 ms; those of a live source are mixed one ahead of the time they are seen."""
    if running and ready == 7.49:
        return  # by then a frame is mixed that is too late; see below
    booth = Booth(Tones(takes=1.0), live(DELAY) if running else RealTime(DELAY))
    await booth.run(Said(2, 3, at=ready - 1.0 - (0.02 if running else 0.0)))
    dub = booth.jobs[0].dub
    assert dub is not None and dub.start == ticks(onset)
    assert booth.jobs[0].fate is fate
    assert booth.viewer.heard()[0].start == dub.start


async def test_a_dub_whose_speech_comes_after_the_longest_lateness_is_dropped() -> None:
    # Before it is asked for, 1.0 s is left and 1.5 s of lateness: 2.5 s in all.
    booth = Booth(Tones(takes=2.51))
    await booth.run(Said(2, 3, at=5.0), Said(8, 9, at=9.0))
    job = booth.jobs[0]
    assert (job.fate, job.fault) == (Fate.DROPPED, "tts: nothing within 2.5 s")
    assert job.spoken is None and job.dub is None and job.placement is None
    assert job.latency["tts"] == pytest.approx(2.5, abs=1e-9)
    assert booth.jobs[1].fate is Fate.ON_TIME
    assert booth.viewer.heard() == [at(8, 9)]


async def test_what_was_mixed_while_speech_was_made_may_leave_no_place_for_it() -> None:
    """Frames are mixed ahead: just before the longest lateness the next one is beyond it."""
    booth = Booth(Tones(takes=1.49), live(DELAY), lateness=Lateness(max_late=0.5))
    await booth.run(Said(2, 3, at=5.0))
    job = booth.jobs[0]
    assert (job.fate, job.fault) == (Fate.DROPPED, "tts: speech came 0.5 s after its time")
    assert spoken(booth).placement is None and spoken(booth).pieces is not None
    assert booth.viewer.heard() == []


async def test_a_dub_that_would_not_be_ready_is_not_begun() -> None:
    voice = Tones(takes=3.0)
    booth = Booth(voice, length=20.0)
    # Three seconds for one of speech are learnt from the first, which is in time.
    await booth.run(Said(1, 2, at=2.0), Said(5, 6, at=9.0), Said(12, 13, at=13.0))
    assert [job.fate for job in booth.jobs] == [Fate.ON_TIME, Fate.DROPPED, Fate.ON_TIME]
    left_out = booth.jobs[1]
    assert left_out.fault == "tts: left out, there is no time to speak it"
    assert left_out.spoken is not None and left_out.spoken.placement is None
    assert left_out.spoken.pieces is None and left_out.latency["tts"] == 0.0
    assert [text for _, text, _ in voice.asked] == ["a" * 10, "c" * 10]


async def test_one_that_others_wait_for_is_not_begun_for_the_sake_of_those() -> None:
    voice = Tones(takes=2.0)
    booth = Booth(voice, length=20.0)
    await booth.run(
        Said(5, 6, at=7.0),  # learnt: two seconds for one
        Said(6, 7, at=8.0),  # at 9.0, one second is left: it would be a second late
        Said(7.2, 8.2, at=8.5),
    )
    assert [job.fate for job in booth.jobs] == [Fate.ON_TIME, Fate.DROPPED, Fate.ON_TIME]
    assert [text[0] for _, text, _ in voice.asked] == ["a", "c"]


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


async def test_a_fault_before_anything_was_placed_fails_the_dub() -> None:
    booth = Booth(Tones(faults={"a" * 10: (0, RuntimeError("no breath"))}))
    await booth.run(Said(2, 3), Said(5, 6))
    job = booth.jobs[0]
    assert (job.fate, job.fault, job.spoken) == (Fate.FAILED, "tts: no breath", None)
    assert job.latency["tts"] == pytest.approx(0.7, abs=1e-9)
    assert booth.jobs[1].fate is Fate.ON_TIME
    assert booth.viewer.heard() == [at(5, 6)]


async def test_a_fault_after_something_was_heard_breaks_the_dub_off() -> None:
    faults = {"a" * 10: (2, ValueError())}
    booth = Booth(Tones(takes=0.5, pieces=4, apart=0.6, faults=faults))
    await booth.run(Said(2, 3, at=4.5))
    job = booth.jobs[0]
    # Pieces came at 5.0 and 5.6, when it was placed; the fault with the third, at 6.2.
    assert job.fault == "tts: ValueError" and job.fate is Fate.ON_TIME
    assert job.dub == at(2, 2.5)
    assert spoken(booth).interval == at(2, 2.5)


async def test_an_engine_that_gives_nothing_numbers_or_no_end_fails_the_dub() -> None:
    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        match text:
            case "nothing":
                yield tone(0.0)
            case "nan":
                yield np.full(100, np.nan, np.float32)
            case "endless":
                while True:
                    yield tone(1.0)

    booth = Booth(Voice(synthesise, TICK_RATE, (1, 1), 10.0), Offline())
    await booth.run(Said(1, 2, "nothing"), Said(3, 4, "nan"), Said(5, 6, "endless"))
    assert [(job.fate, job.fault) for job in booth.jobs] == [
        (Fate.FAILED, "tts: no speech came back"),
        (Fate.FAILED, "tts: the speech holds samples that are not numbers"),
        (Fate.FAILED, "tts: over 5 s of speech for 7 characters"),
    ]


async def test_speech_that_fits_nowhere_is_cut_between_words() -> None:
    fit = FitOptions(borrow=0, shift=0.2, max_tempo=1.0)
    booth = Booth(Tones(), fit=fit)
    await booth.run(Said(2, 3, "x" * 20))
    job = booth.jobs[0]
    assert spoken(booth).truncated and job.fate is Fate.ON_TIME and job.dub is not None
    assert ticks(3.2) - ticks(0.3) <= job.dub.end <= ticks(3.2)
    assert abs(booth.viewer.dub[job.dub.end - 1]) < 1e-3  # faded out
    assert spoken(booth).interval == job.dub


async def test_silence_after_the_slot_is_borrowed_and_speech_that_follows_is_not_spoken_over() -> (
    None
):
    booth = Booth(Tones(), fit=FitOptions(easy_tempo=1.0))
    await booth.run(Said(2, 3, "x" * 14), Said(6, 7, "x" * 14), Said(7.3, 8.3, known=7.0))
    first, second, third = booth.jobs
    assert first.dub == at(2, 3.4) and first.placement is not None
    assert (first.placement.borrowed, first.placement.tempo) == (ticks(0.4), 1.0)
    assert second.placement is not None and second.dub is not None
    assert second.placement.borrowed <= ticks(0.15)  # a breath before the next
    assert third.dub is not None and third.dub.start == ticks(7.3)


async def test_offline_a_place_waits_until_it_is_known_what_follows() -> None:
    booth = Booth(Tones(takes=0.0), Offline())
    await booth.run(Said(2, 3, "x" * 13), Said(3.3, 4.3))
    first, second = booth.jobs
    # A breath before the next one, which was found after speech was there.
    assert first.placement is not None and first.placement.interval.end == ticks(3.15)
    assert second.dub is not None and second.dub.start == ticks(3.3)


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


async def test_one_tempo_is_that_of_all_speech_so_far() -> None:
    booth = Booth(Tones(), fit=FitOptions(strategy="global"))
    await booth.run(Said(2, 3, "x" * 12), Said(5, 6, "x" * 10))
    tempos = [job.placement.tempo for job in booth.jobs if job.placement]
    assert tempos == pytest.approx([1.2, 1.1])


async def test_the_quiet_before_a_word_is_before_its_slot() -> None:
    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        yield np.concatenate([np.zeros(ticks(0.03), np.float32), tone(1.0)])

    booth = Booth(Voice(synthesise, TICK_RATE, (1, 1), 10.0))
    await booth.run(Said(2, 3))
    job = booth.jobs[0]
    assert spoken(booth).lead == ticks(0.03)
    assert job.placement is not None and job.placement.interval.start == ticks(2) - ticks(0.03)
    assert job.dub is not None and job.dub.start == ticks(2)


def paused(length: float, *sounds: tuple[float, float], rate: int = TICK_RATE) -> Samples:
    """Silence with tones in it."""
    out = np.zeros(round(length * rate), np.float32)
    for start, end in sounds:
        out[round(start * rate) : round(end * rate)] = tone(end - start, rate)
    return out


@pytest.mark.parametrize("mirrored", [True, False])
async def test_a_dub_pauses_where_its_speaker_does(mirrored: bool) -> None:
    async def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        yield paused(1.5, (0.0, 0.7), (0.8, 1.5))

    voice = Voice(synthesise, TICK_RATE, (1, 1), 10.0)
    booth = Booth(voice, fit=FitOptions(pauses=True))
    source = [(0.0, 0.8), (1.2, 2.0)] if mirrored else [(0.0, 2.0)]
    booth.speech = paused(2.0, *source, rate=SPEECH_RATE)
    await booth.run(Said(2, 4, "aaaaaaa, aaaaaaa"))
    first, *others = booth.viewer.heard()
    assert first.start == ticks(2)
    pause = others[0].start - first.end
    assert (pause > ticks(0.3)) is mirrored
    if mirrored:
        assert others[0].start == pytest.approx(ticks(3.2), abs=ticks(0.03))
        assert spoken(booth).interval.end == pytest.approx(ticks(4.0), abs=ticks(0.15))
    assert booth.jobs[0].fate is Fate.ON_TIME


UTTERANCES = st.lists(
    st.tuples(
        st.integers(0, 20),  # tenths of a second before it
        st.integers(3, 25),  # its length
        st.integers(1, 40),  # letters to speak
        st.integers(0, 15),  # tenths from its end until its words are there
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=15)
@given(UTTERANCES, st.integers(0, 30), st.integers(1, 4), st.booleans())
def test_whatever_is_said_dubs_keep_their_order_and_each_is_settled_once(
    utterances: list[tuple[int, int, int, int]], takes: int, pieces: int, watched: bool
) -> None:
    said, end, sent = [], 1.0, 0.0
    for before, length, letters, after in utterances:
        start = end + before / 10
        end = start + length / 10
        sent = max(sent, end + after / 10)
        said.append(Said(start, end, "x" * letters, at=sent))
    booth = Booth(
        Tones(takes=takes / 10, pieces=pieces, apart=0.3),
        RealTime(DELAY) if watched else Offline(),
        length=sent + 12,
    )
    run_virtual(booth.run(*said))
    assert sorted(booth.viewer.settled) == [("pt", id_) for id_ in range(len(said))]
    assert all(job.fate is not None for job in booth.jobs)
    dubs = [job for job in booth.jobs if job.played is not None]
    reached = 0
    for job in dubs:
        assert job.played is not None and job.spoken is not None
        assert job.played.interval.start >= max(job.slot.start - job.spoken.lead, reached)
        reached = job.played.interval.end
        if not watched:
            assert job.played.interval == job.spoken.interval and job.played.starved == 0
    for heard in booth.viewer.heard():
        assert any(
            job.played.interval.start <= heard.start <= job.played.interval.end
            for job in dubs
            if job.played is not None
        )
