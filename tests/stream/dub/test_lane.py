"""A lane's stages on a virtual clock; the viewer is 4 s behind, and speech takes 0.7 s to make."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest

from stream.clock.pacing import Offline, RealTime
from stream.dub.attempt import Reworded, Settled, StageDone
from stream.dub.job import DubJob, Heard, Stage, Translated
from stream.frames import Fate, Transcript, Utterance
from stream.timeline import TICK_RATE, Interval, ticks
from tests.helpers.booth import Booth, Said
from tests.helpers.dubbing import Tones, since_start

pytestmark = pytest.mark.virtual_time


def quiet() -> None:
    """Nothing is left of a run."""
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [t for t in threading.enumerate() if t.name == "livedub-delivery"]


async def test_each_stage_is_told_of_in_its_order() -> None:
    booth = Booth(Tones())
    await booth.run(Said(2, 3), Said(5, 6, fate=Fate.EMPTY))
    told = [
        (type(n), n.job.id, n.stage if isinstance(n, StageDone) else None)
        for n in booth.viewer.notices
    ]
    assert told == [
        (StageDone, 0, Stage.TRANSLATION),
        (StageDone, 0, Stage.SYNTHESIS),
        (Settled, 1, None),  # known at 6.0, when the first is not heard to its end yet
        (Settled, 0, None),
    ] and {n.track for n in booth.viewer.notices} == {"pt"}
    quiet()


async def test_translation_is_within_its_deadline_and_its_faults_cost_one_dub() -> None:
    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        match heard.id:
            case 0:
                raise LookupError("no such word")
            case 1:
                await asyncio.Event().wait()
        await asyncio.sleep(0.5)
        return Translated("y" * 10, candidates=4, chosen=2)

    booth = Booth(Tones(), translate=translate, deadline=2.0, length=16)
    await booth.run(Said(2, 3), Said(4, 5), Said(8, 9))
    assert [(job.fate, job.fault) for job in booth.jobs] == [
        (Fate.FAILED, "mt: no such word"),
        (Fate.FAILED, "mt: nothing within 2.0 s"),
        (Fate.ON_TIME, None),
    ]
    last = booth.jobs[2]
    assert last.translation == "y" * 10 and last.latency["total"] == pytest.approx(1.2)
    assert last.text == "c" * 10
    quiet()


async def test_translation_goes_on_while_speech_is_made() -> None:
    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        await asyncio.sleep(0.6)
        return Translated(heard.transcript.text)

    voice = Tones(takes=1.0)
    booth = Booth(voice, Offline(), translate=translate)
    await booth.run(Said(2, 3), Said(4, 5), Said(6, 7))
    assert since_start() == pytest.approx(0.6 + 3 * 1.0)
    assert [when for when, _, _ in voice.asked] == pytest.approx([0.6, 1.6, 2.6])


@pytest.mark.parametrize("queued", [1, 2])
async def test_a_file_is_translated_the_same_however_fast_voice_and_translator_are(
    queued: int,
) -> None:
    async def lengths(translator: float, voice: float) -> list[int]:
        """What translation is told of a voice that is twice as fast as it says."""
        told: list[int] = []

        async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
            await asyncio.sleep(translator)
            told.append(booth.lane.expected("x" * 40))
            return Translated(heard.transcript.text * 2)

        fast = replace(Tones(takes=voice).voice(), characters_per_second=5.0)
        booth = Booth(fast, Offline(), translate=translate, length=20, queued=queued)
        await booth.run(*(Said(2 * n, 2 * n + 1) for n in range(1, 9)))
        return told

    ahead, behind = await lengths(0.0, 3.0), await lengths(3.0, 0.1)
    assert ahead == behind
    # It is told of what was spoken before those that may wait.
    assert ahead[: queued + 2] == [8 * TICK_RATE] * (queued + 2)
    assert sorted(set(ahead[queued + 1 :]), reverse=True) == ahead[queued + 1 :]


async def test_of_an_endless_source_the_newest_jobs_are_kept() -> None:
    booth = Booth(Tones(), keep=2, length=20.0)
    await booth.run(Said(1, 2, at=2), Said(3, 4, at=4), Said(5, 6, at=5), Said(8, 9, at=9))
    assert list(booth.lane.jobs) == [2, 3]
    # The first was heard to its end at 6, when the third had come: it is told of no more.
    assert [id_ for _, id_ in booth.viewer.settled] == [1, 2, 3]
    assert len(booth.viewer.heard()) == 4


async def test_a_lane_tells_how_long_its_voice_takes() -> None:
    booth = Booth(Tones())
    assert booth.lane.expected("x" * 25) == ticks(2.5)
    await booth.lane.aclose()


@pytest.mark.parametrize("at", [1.0, 3.2, 4.5, 6.0, 6.4])
async def test_cancellation_at_any_moment_leaves_nothing(at: float) -> None:
    voice = Tones(pieces=2, apart=0.5)
    booth = Booth(voice)
    task = asyncio.create_task(booth.run(Said(2, 3), Said(3.5, 4.5)))
    await asyncio.sleep(at)
    task.cancel()
    await asyncio.wait([task])
    quiet()
    assert voice.speaking == 0


class Second:
    """Has the dub before spoken in other words when the second is translated.

    Args:
        before: whose dub.
        after: seconds before it asks.
        limit: seconds that it waits for an answer.
    """

    def __init__(self, before: int = 0, after: float = 1.0, limit: float = 60.0) -> None:
        self.before, self.after, self.limit = before, after, limit
        self.booth: Booth | None = None
        self.answer: bool | None = None

    async def __call__(self, heard: Heard, limit: asyncio.Timeout) -> Translated:
        assert self.booth is not None
        if heard.id == 1:
            await asyncio.sleep(self.after)
            async with asyncio.timeout(self.limit):
                self.answer = await self.booth.lane.reword(self.before, "r" * 10, heard)
        return Translated(heard.transcript.text)

    async def run(self, booth: Booth, *said: Said) -> Booth:
        self.booth = booth
        await booth.run(*said)
        return booth


EARLY = (Said(2, 3, at=2.2), Said(5, 6, at=2.2, known=2.2))


async def test_a_dub_that_waits_is_spoken_in_other_words() -> None:
    second, voice = Second(), Tones()
    booth = await second.run(Booth(voice, translate=second), *EARLY)
    assert second.answer is True
    assert [(when, text[0]) for when, text, _ in voice.asked] == [
        (pytest.approx(2.2), "a"),
        (pytest.approx(3.2), "r"),
        (pytest.approx(3.9), "b"),
    ]
    assert booth.jobs[0].translated == Translated("r" * 10, reworded=True)
    assert any(isinstance(n, Reworded) for n in booth.viewer.notices)
    assert [job.fate for job in booth.jobs] == [Fate.ON_TIME] * 2
    assert booth.jobs[0].dub == Interval(ticks(2), ticks(3))


async def test_who_gives_up_waiting_for_the_answer_does_not_stop_what_was_begun() -> None:
    second = Second(limit=0.3)
    booth = await second.run(Booth(Tones(), translate=second), *EARLY)
    assert second.answer is None
    assert booth.jobs[1].fault == "mt: TimeoutError" and booth.jobs[1].fate is Fate.FAILED
    assert booth.jobs[0].translation == "r" * 10 and booth.jobs[0].fate is Fate.ON_TIME


async def test_nothing_is_reworded_that_is_unknown_settled_or_longer_than_its_place() -> None:
    second = Second(before=7)
    await second.run(Booth(Tones(), translate=second), *EARLY)
    assert second.answer is False
    second = Second()
    await second.run(
        Booth(Tones(), translate=second), Said(2, 3, at=2.2, fate=Fate.EMPTY), EARLY[1]
    )
    assert second.answer is False


@pytest.mark.parametrize("asked", [6.0, 7.8])
async def test_a_dub_that_is_being_spoken_or_broke_off_is_not_spoken_again(asked: float) -> None:
    second = Second(after=asked - 3.0)
    voice = Tones(takes=0.5, pieces=2, hangs={"a" * 20: 1})
    booth = Booth(voice, RealTime(4.0), translate=second)
    await second.run(booth, Said(2, 4, at=3.0), Said(6, 7, at=3.0))
    assert booth.jobs[0].fault == "tts: speech broke off in the middle"
    assert second.answer is False and [text[0] for _, text, _ in voice.asked] == ["a", "b"]


async def test_other_words_that_do_not_fit_are_not_spoken() -> None:
    class Long(Tones):
        """Takes far longer for the other words than anyone would expect."""

        async def synthesise(self, text, manner):  # type: ignore[no-untyped-def]
            more = text * 4 if text.startswith("r") else text
            async for piece in super().synthesise(more, manner):
                yield piece

    second = Second()
    booth = await second.run(Booth(Long(), translate=second), *EARLY)
    assert second.answer is False
    assert booth.jobs[0].translation == "a" * 10 and booth.jobs[0].fate is Fate.ON_TIME
    assert booth.jobs[0].dub == Interval(ticks(2), ticks(3))


async def test_other_words_that_come_when_the_dub_is_heard_already_are_dropped() -> None:
    """A voice that was quick with the first words takes its time for the others."""

    class Slow(Tones):
        async def synthesise(self, text, manner):  # type: ignore[no-untyped-def]
            if text.startswith("r"):
                await asyncio.sleep(10)
            async for piece in super().synthesise(text, manner):
                yield piece

    second = Second()
    voice = Slow()
    booth = await second.run(
        Booth(voice, translate=second, length=20), EARLY[0], Said(9, 10, at=2.2)
    )
    assert second.answer is False
    assert [job.fate for job in booth.jobs] == [Fate.ON_TIME] * 2
    assert booth.jobs[0].dub == Interval(ticks(2), ticks(3)) and voice.speaking == 0


def test_a_job_tells_what_is_known_of_it() -> None:
    slot = Interval(ticks(1), ticks(2))
    job = DubJob(Utterance(3, slot, np.zeros(0, np.float32), slot.start, "cut"))
    assert (job.text, job.translation, job.placement, job.available, job.dub) == (
        "", "", None, None, None
    )  # fmt: skip
    job.transcript = Transcript("hello", "en")
    assert (job.heard.id, job.heard.slot, job.text) == (3, slot, "hello")
    job.give_up(Fate.FAILED, "mt: no")
    assert (job.fate, job.fault) == (Fate.FAILED, "mt: no")
