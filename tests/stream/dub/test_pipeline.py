"""The whole pipeline with scripted engines: from the source's sound to the viewer's.

The viewer is 4 s behind. A window is 32 ms. Speech is found to have ended 16 windows later, and the
resampler holds back so little that this is known with the next window. Recognition takes 0.2 s and
speech 0.7 s.
"""

import asyncio
import threading

import numpy as np
import pytest

from stream.clock.pacing import Offline, RealTime
from stream.dub.attempt import StageDone
from stream.dub.job import DubJob, Heard, Stage, Translated
from stream.frames import Fate, Samples
from stream.sound.mix import MixOptions
from stream.timeline import TICK_RATE, Interval, seconds
from tests.helpers.dubbing import SPAN, Tones, live, picture, since_start
from tests.helpers.station import Station, Whole, by_level

pytestmark = pytest.mark.virtual_time

DELAY = 4.0

FOUND = 17 * SPAN / TICK_RATE
"""Seconds from the end of speech until it is known to have ended."""

SPEECH = [(30, 62), (100, 150), (190, 220)]
"""Windows of speech; none lasts a round number of letters."""


def fates(jobs: list[DubJob]) -> list[Fate | None]:
    return [job.fate for job in jobs]


def quiet() -> None:
    """Nothing is left of a run."""
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [t for t in threading.enumerate() if t.name == "livedub-delivery"]


@pytest.mark.parametrize("running", [False, True])
async def test_each_stage_takes_its_time_and_the_dub_is_in_its_slot(running: bool) -> None:
    pacing = live(DELAY) if running else RealTime(DELAY)
    station = Station(SPEECH, 300, pacing)
    await station.run()
    (voice,) = station.voices
    for job, (first, last), (asked, _, _) in zip(station.jobs, SPEECH, voice.asked, strict=True):
        assert job.slot == Interval(first * SPAN, last * SPAN)
        begun = seconds(job.slot.end) + FOUND + 0.2
        assert asked == pytest.approx(begun, abs=1e-6)
        assert job.available == pytest.approx(begun + 0.7 - seconds(job.slot.start), abs=1e-6)
        assert job.latency == pytest.approx(
            {"asr": 0.2, "mt": 0.0, "tts": 0.7, "total": 0.9}, abs=1e-6
        )
        assert job.fate is Fate.ON_TIME and job.dub is not None
        assert job.dub.start == job.slot.start
    assert station.viewers[0].settled == [("lane 0", n) for n in range(3)]
    heard = [interval.start for interval in station.viewers[0].heard()]
    assert heard == [first * SPAN for first, _ in SPEECH]
    assert since_start() == pytest.approx(300 * SPAN / TICK_RATE + DELAY, abs=0.05)
    assert station.closed
    quiet()


async def test_offline_nothing_waits_but_for_the_engines() -> None:
    station = Station(SPEECH, 300, Offline())
    await station.run()
    assert fates(station.jobs) == [Fate.ON_TIME] * 3
    assert [job.available for job in station.jobs] == [None] * 3
    # Recognition of the next goes on while speech is made.
    assert since_start() == pytest.approx(0.2 + 3 * 0.7)
    assert len(station.viewers[0].sound) == 300 * SPAN
    assert station.detection.skipped == 0 and station.closed
    assert len(np.concatenate(station.detection.probabilities)) == 300
    quiet()


async def test_every_lane_has_dubs_of_its_own_and_the_first_the_picture() -> None:
    pictures = [picture(0.04 * n) for n in range(250)]  # beyond the sound
    slow = Tones(takes=3.0)
    station = Station(SPEECH, 300, RealTime(DELAY), voices=[Tones(), slow], pictures=pictures)
    await station.run()
    first, second = (list(lane.jobs.values()) for lane in station.lanes)
    assert fates(first) == [Fate.ON_TIME] * 3
    assert fates(second)[0] is Fate.LATE and fates(second).count(Fate.ON_TIME) < 3
    out = [[p for block in viewer.blocks for p in block.packets] for viewer in station.viewers]
    assert out == [pictures, []]
    shared = [n for n in station.notices if isinstance(n, StageDone)]
    assert [n.stage for n in shared] == [Stage.RECOGNITION] * 3  # once for both
    assert first[0] is not second[0] and first[0].latency["tts"] < second[0].latency["tts"]
    quiet()


async def test_faults_cost_one_utterance_each() -> None:
    whole = Whole(faults={0: RuntimeError("deaf")}, empty=frozenset([1]))
    station = Station(SPEECH, 300, RealTime(DELAY), whole=whole)
    await station.run()
    assert [(job.fate, job.fault) for job in station.jobs] == [
        (Fate.FAILED, "asr: deaf"),
        (Fate.EMPTY, None),
        (Fate.ON_TIME, None),
    ]
    assert len(station.voices[0].asked) == 1
    assert station.viewers[0].settled == [("lane 0", n) for n in range(3)]


async def test_a_recogniser_that_hangs_costs_what_becomes_too_late_meanwhile() -> None:
    whole = Whole(takes=99.0)
    station = Station(SPEECH, 300, RealTime(DELAY), whole=whole, deadline=3.0)
    await station.run()
    job = station.jobs[0]
    assert (job.fate, job.fault) == (Fate.FAILED, "asr: nothing within 3.0 s")
    assert all(job.fate in (Fate.FAILED, Fate.DROPPED) for job in station.jobs)
    assert not station.viewers[0].dub.any()
    quiet()


async def test_without_a_detector_there_is_no_dub_and_the_original_goes_on() -> None:
    async def broken(audio: Samples) -> Samples:
        raise RuntimeError("broken")

    station = Station(SPEECH, 300, RealTime(DELAY), detect=broken)
    await station.run()
    assert station.jobs == [] and station.detection.skipped == 300
    # The mix is exactly the source, ahead of nothing and behind by nothing.
    assert np.allclose(station.viewers[0].sound[:, 0], station.sound, atol=1e-6)


async def test_the_original_is_heard_muted_or_not_where_a_dub_fails() -> None:
    whole = Whole(faults={1: RuntimeError("deaf")})
    station = Station(SPEECH, 300, RealTime(DELAY), whole=whole, mix=MixOptions(bed="mute"))
    await station.run()
    for (first, last), dubbed in zip(SPEECH, (True, False, True), strict=True):
        middle = slice((first + 5) * SPAN, (last - 5) * SPAN)
        sound = station.viewers[0].sound[middle, 0]
        if dubbed:
            assert np.array_equal(sound, station.viewers[0].dub[middle])
        else:
            assert np.allclose(sound, station.sound[middle], atol=1e-6)


async def test_the_source_is_held_back_by_what_waits_for_playout() -> None:
    station = Station([], 300, Offline(), capacity=2.0)
    task = asyncio.create_task(station.run())
    await task
    assert len(station.viewers[0].sound) == 300 * SPAN
    slow = Station([(30, 62)], 300, Offline(), capacity=6.0, voices=[Tones(takes=5.0)])
    await slow.run()
    # Until the dub is there at 5.2 s, playout stands before its slot, and 6 s are read beyond.
    before = max(end for when, end in slow.read if when < 5.0)
    stands = 30 * SPAN - 4800
    assert stands + 6 * TICK_RATE <= before + SPAN and before <= stands + 6 * TICK_RATE + 2 * SPAN
    assert fates(slow.jobs) == [Fate.ON_TIME]


@pytest.mark.parametrize("running", [False, True])
async def test_stop_in_the_middle_ends_at_once_and_leaves_nothing(running: bool) -> None:
    pacing = live(DELAY) if running else RealTime(DELAY)
    station = Station(SPEECH, 300, pacing)
    assert station.pipeline.unrecognised == 0
    task = asyncio.create_task(station.run())
    await asyncio.sleep(6.5)
    station.pipeline.stop()
    await task
    assert since_start() == pytest.approx(6.5, abs=0.05)
    assert station.closed
    quiet()
    # What was dubbed by then is heard to its end.
    assert fates(station.jobs)[0] is Fate.ON_TIME


async def test_offline_nothing_is_read_any_more_after_stop() -> None:
    station = Station(SPEECH, 300, Offline(), voices=[Tones(takes=5.0)], capacity=5.0)
    task = asyncio.create_task(station.run())
    await asyncio.sleep(1.0)  # the first dub is being made, and the source is held back
    read = len(station.read)
    assert read < 299
    station.pipeline.stop()
    await task
    assert len(station.read) <= read + 1 and station.closed
    assert len(station.viewers[0].sound) < 30 * SPAN
    quiet()


async def test_the_source_may_end_with_recognition_and_speech_under_way() -> None:
    station = Station([(30, 62), (80, 100)], 100, RealTime(DELAY), whole=Whole(takes=1.0))
    await station.run()
    assert [job.utterance.ended_by for job in station.jobs] == ["pause", "end"]
    assert fates(station.jobs) == [Fate.ON_TIME] * 2
    quiet()


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("stopped", [False, True])
async def test_what_is_still_under_way_when_the_source_was_played_out_is_dropped(
    running: bool, stopped: bool
) -> None:
    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        await asyncio.sleep(0.2 if heard.id == 0 else 3.0)
        return Translated(heard.transcript.text)

    pacing = live(2.0) if running else RealTime(2.0)
    speech = [(30, 62), (80, 100)]
    station = Station(speech, 118, pacing, voices=[Tones(takes=9.0)], translate=translate)
    task = asyncio.create_task(station.run())
    # The first is spoken and the second translated when the viewer has seen all.
    await asyncio.sleep(4.2)
    assert station.voices[0].speaking == 1
    if stopped:
        station.pipeline.stop()
    await task
    first, second = station.jobs[0], station.jobs[-1]
    if stopped:
        assert fates(station.jobs) == [None] * len(station.jobs)
        assert station.viewers[0].settled == []
    else:
        assert (first.fate, first.fault) == (Fate.DROPPED, "tts: nothing within 1.5 s")
        assert (second.fate, second.fault) == (
            Fate.DROPPED,
            "mt: nothing before the source's end",
        )
        assert station.viewers[0].settled == [("lane 0", 0), ("lane 0", 1)]
    quiet()


async def test_a_fault_of_the_source_ends_the_run_with_it() -> None:
    station = Station(SPEECH, 300, RealTime(DELAY), fault=OSError("disk on fire"))
    with pytest.raises(ExceptionGroup) as raised:
        await station.run()
    assert raised.group_contains(OSError, match="disk on fire")
    quiet()


async def test_a_fault_of_the_viewer_ends_the_run_with_it() -> None:
    station = Station(SPEECH, 300, RealTime(DELAY))

    async def emit(block: object) -> None:
        raise OSError("no space left")

    station.lanes[0]._emit = emit
    with pytest.raises(ExceptionGroup) as raised:
        await station.run()
    assert raised.group_contains(OSError, match="no space left")
    assert station.closed
    quiet()


async def test_utterances_that_wait_for_recognition_are_counted() -> None:
    short = [(10 + 40 * n, 20 + 40 * n) for n in range(6)]
    station = Station(short, 300, live(20.0), whole=Whole(takes=60.0), deadline=70.0)
    task = asyncio.create_task(station.run())
    await asyncio.sleep(9.0)
    assert station.pipeline.unrecognised == 5
    station.pipeline.stop()
    await task
    quiet()


@pytest.mark.parametrize("pacing", [Offline, lambda: RealTime(DELAY), lambda: live(DELAY)])
@pytest.mark.parametrize("at", [0.0, 0.05, 1.0, 2.6, 2.8, 3.3, 4.0, 5.0, 5.2, 6.9, 8.0, 13.0])
async def test_cancellation_at_any_moment_leaves_no_task_and_no_thread(
    pacing: object, at: float
) -> None:
    assert callable(pacing)
    station = Station(SPEECH, 300, pacing(), detect=by_level(0.01), voices=[Tones(pieces=3)])
    task = asyncio.create_task(station.run())
    await asyncio.sleep(at)
    task.cancel()
    await asyncio.wait([task])
    quiet()
    assert station.voices[0].speaking == 0
    assert station.closed or not station.read
