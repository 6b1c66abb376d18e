"""A dub that is spoken once more, in other words, before anybody has heard it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from stream.dub.attempt import Notice, Settled, StageDone
from stream.dub.fit import FitOptions
from stream.dub.jitter import Played
from stream.dub.job import DubJob, Heard, Stage, Translated
from stream.dub.lane import Lane, LaneOptions
from stream.dub.lateness import Lateness
from stream.dub.playout import Block
from stream.dub.voice import Voice
from stream.frames import AudioChunk, Manner, Samples, Transcript, Utterance
from stream.sound.mix import MixOptions
from stream.timeline import TICK_RATE, Interval
from tests.helpers.scripted import Synthesiser
from tests.helpers.virtual_time import run_virtual

SECOND = TICK_RATE
SAID, BETTER = "x" * 28, "y" * 33


class Clock:
    """The viewer's clock, standing where a test puts it."""

    live = True
    running = False

    def __init__(self) -> None:
        self.now = 0

    def start(self) -> None: ...

    async def source(self, time: int) -> None: ...

    def time_left(self, time: int) -> float:
        return (time - self.now) / TICK_RATE

    def since(self, time: int) -> float:
        return 4.0 - self.time_left(time)


class Room:
    """A lane with two utterances of a second, at 4 and 5.5 s, and what is heard of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.played: list[Played] = []
        self.asked: list[str] = []
        self.fault: Exception | None = None
        self.gate: asyncio.Event | None = None
        voice = Voice(self._speak, Synthesiser.sample_rate, Synthesiser.rate_range, 30.0)
        mix = MixOptions(bed="mute")
        options = LaneOptions(1, None, mix, FitOptions(), 60 * SECOND, 60.0, 60.0)
        self.lane = Lane(
            "pt", lambda lane: self._translate, voice, options, self.clock, Lateness(), self._emit,
            self._watch,
        )  # fmt: skip
        starts = (4 * SECOND, 11 * SECOND // 2)
        self.first, self.second = (self._job(id_, start) for id_, start in enumerate(starts))
        self.spoken = asyncio.Event()
        self.sound: list[Samples] = []
        self.reword: Callable[[], Awaitable[bool]] | None = None
        self.reworded: bool | None = None

    async def _translate(self, heard: Heard, limit: asyncio.Timeout) -> Translated:
        if heard.id == 1 and self.reword is not None:
            self.reworded = await self.reword()
        return Translated(SAID)

    def _watch(self, notice: Notice) -> None:
        if isinstance(notice, Settled) and notice.job.played is not None:
            self.played.append(notice.job.played)
        if isinstance(notice, StageDone) and notice.stage is Stage.SYNTHESIS:
            self.spoken.set()

    async def _emit(self, block: Block) -> None:
        self.sound.append(block.dub)

    async def _speak(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        self.asked.append(text)
        if self.gate is not None:
            await self.gate.wait()
        async for piece in Synthesiser().synthesise(text, manner):
            # Better words sound an octave higher, and are half as loud.
            yield np.tile(piece[::2], 2) / 2 if "y" in text else piece
            if self.fault is not None:
                raise self.fault

    def _job(self, id_: int, start: int) -> DubJob:
        sound = np.random.default_rng(id_).normal(0, 0.1, 16_000).astype(np.float32)
        utterance = Utterance(id_, Interval(start, start + SECOND), sound, start, "cut")
        return DubJob(utterance, transcript=Transcript("something", "en"))

    async def reword_spoken(self, at: int = 0) -> bool:
        """Other words for the first, once it was spoken, at the clock's ``at``."""
        await self.spoken.wait()
        self.clock.now = at
        return await self.lane.reword(0, BETTER, self.second.heard)

    async def run(self, jobs: Sequence[DubJob]) -> Samples:
        """Source of 8 s with the jobs, all that is heard of their dubs."""
        await self.lane.playout.feed([AudioChunk(0, np.zeros((8 * SECOND, 1), np.float32))])
        async with asyncio.TaskGroup() as group:
            stages = self.lane.open(group, 4)
            for job in jobs:
                self.lane.playout.announce(job.id, job.slot)
                await self.lane.send(job)
            self.lane.playout.end_source()
            self.lane.close()
            await asyncio.wait(stages)
            self.clock.now = 60 * SECOND
            await self.lane.play()
        await self.lane.aclose()
        return np.concatenate(self.sound)


def _run(room: Room, *, reword_at: int = 0) -> tuple[bool | None, Samples]:
    room.reword = lambda: room.reword_spoken(reword_at)
    heard = run_virtual(room.run([room.first, room.second]))
    return room.reworded, heard


def _pitch(sound: Samples) -> float:
    return np.count_nonzero(np.diff(np.signbit(sound))) / len(sound)


def test_the_better_words_are_heard_in_the_same_slot_at_the_same_loudness() -> None:
    plain = Room()
    _, unchanged = _run(plain, reword_at=4 * SECOND)
    room = Room()
    reworded, heard = _run(room)
    assert reworded and room.asked == [SAID, BETTER, SAID]
    assert room.first.translated == Translated(BETTER, reworded=True)
    assert [each.id for each in room.played] == [0, 1]
    first, second = (each.interval for each in room.played)
    assert abs(first.start - room.first.slot.start) < SECOND // 20
    assert first.end <= second.start and second == plain.played[1].interval
    before, after = (
        sound[first.start + SECOND // 4 :][: SECOND // 2] for sound in (unchanged, heard)
    )
    assert _pitch(after) == pytest.approx(2 * _pitch(before), rel=0.05)
    assert np.std(after) == pytest.approx(np.std(before), rel=0.15)


def test_it_is_too_late_when_there_is_no_time_to_speak() -> None:
    room = Room()
    reworded, _ = _run(room, reword_at=4 * SECOND - SECOND // 10)
    assert not reworded and room.asked == [SAID, SAID]
    assert room.first.translated == Translated(SAID)


def test_a_dub_whose_turn_has_not_come_is_spoken_in_the_better_words_alone() -> None:
    room = Room()
    before = room._job(2, 2 * SECOND)
    jobs = [replace(job, utterance=replace(job.utterance, id=id_))
            for id_, job in enumerate((before, room.first, room.second))]  # fmt: skip
    room.gate = asyncio.Event()

    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        if heard.id == 2:
            room.reworded = await room.lane.reword(1, BETTER, heard)
            room.gate.set()
        return Translated(SAID)

    room.lane._translate = translate
    run_virtual(room.run(jobs))
    assert room.reworded and room.asked == [SAID, BETTER, SAID]


def test_a_fault_of_the_voice_leaves_the_dub_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    async def reword() -> bool:
        await room.spoken.wait()
        room.fault = RuntimeError("the voice broke")
        try:
            return await room.lane.reword(0, BETTER, room.second.heard)
        finally:
            room.fault = None

    plain, room = Room(), Room()
    _, unchanged = _run(plain, reword_at=4 * SECOND)
    room.reword = reword
    heard = run_virtual(room.run([room.first, room.second]))
    end = plain.second.slot.start
    assert room.reworded is False and room.first.translation == SAID
    assert np.array_equal(heard[:end], unchanged[:end])
    assert "the voice broke" in caplog.text


def test_files_are_spoken_once() -> None:
    room = Room()
    room.clock.live = False
    reworded, _ = _run(room)
    assert not reworded and room.asked == [SAID, SAID]
