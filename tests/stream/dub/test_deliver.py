"""One dub after another on a virtual clock: when it is ready, where it is played, and its fate.

The viewer is 4 s behind the source. Where nothing else is said, speech takes 0.7 s to make.
"""

from collections.abc import AsyncGenerator

import numpy as np
import pytest

from stream.clock.pacing import Offline, RealTime
from stream.dub.fit import FitOptions
from stream.dub.job import Spoken
from stream.dub.lateness import Lateness
from stream.dub.voice import Voice
from stream.frames import SPEECH_RATE, Fate, Manner, Samples
from stream.timeline import TICK_RATE, Interval, ticks
from tests.helpers.booth import Booth, Said
from tests.helpers.dubbing import Tones, live, tone

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

    voice = Voice(synthesise, 24_000, (0.9, 1.1), 10.0, lambda speaker, time: f"voice of {speaker}")
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


async def test_a_fault_before_anything_was_placed_fails_the_dub() -> None:
    booth = Booth(Tones(faults={"a" * 10: (0, RuntimeError("no breath"))}))
    await booth.run(Said(2, 3), Said(5, 6))
    job = booth.jobs[0]
    assert (job.fate, job.fault, job.spoken) == (Fate.FAILED, "tts: no breath", None)
    assert job.latency["tts"] == pytest.approx(0.7, abs=1e-9)
    assert booth.jobs[1].fate is Fate.ON_TIME
    assert booth.viewer.heard() == [at(5, 6)]


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
