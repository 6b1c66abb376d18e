"""A dub that is spoken once more, in other words, before anybody has heard it."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from stream.dub.deliver import Delivery, Voice
from stream.dub.fit import FitOptions
from stream.dub.jitter import Played
from stream.dub.job import DubJob
from stream.dub.playout import Block, Playout
from stream.frames import AudioChunk, Manner, Samples, Utterance
from stream.sound.mix import MixOptions
from stream.timeline import TICK_RATE, Interval
from tests.helpers.scripted import Synthesiser

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
    """A delivery of two utterances of a second, at 4 and 5.5 s, and who listens to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.played: list[Played] = []
        self.asked: list[str] = []
        self.fault: Exception | None = None
        self.playout = Playout(
            1, None, MixOptions(bed="mute"), self.clock, self.played.append, 60 * SECOND
        )
        voice = Voice(self._speak, Synthesiser.sample_rate, Synthesiser.rate_range, 30.0)
        self.delivery = Delivery(voice, self.playout, self.clock, FitOptions(), 1.5)
        starts = (4 * SECOND, 11 * SECOND // 2)
        self.first, self.second = (self._job(id_, start) for id_, start in enumerate(starts))

    async def _speak(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        self.asked.append(text)
        async for piece in Synthesiser().synthesise(text, manner):
            # Better words sound an octave higher, and are half as loud.
            yield np.tile(piece[::2], 2) / 2 if "y" in text else piece
            if self.fault is not None:
                raise self.fault

    def _job(self, id_: int, start: int) -> DubJob:
        sound = np.random.default_rng(id_).normal(0, 0.1, 16_000).astype(np.float32)
        slot = Interval(start, start + SECOND)
        return DubJob(Utterance(id_, slot, sound, start, "cut"), translation=SAID)

    async def announce(self) -> None:
        """Source of 8 s, and both utterances, are known."""
        await self.playout.feed([AudioChunk(0, np.zeros((8 * SECOND, 1), np.float32))])
        for job in (self.first, self.second):
            await self.playout.announce(job.utterance.id, job.slot)
        await self.playout.end_source()

    async def listen(self) -> Samples:
        """All that is heard."""
        heard: list[Samples] = []

        async def emit(block: Block) -> None:
            heard.append(block.dub)

        await self.playout.run(emit)
        await self.delivery.aclose()
        return np.concatenate(heard)


def _run(room: Room, *, reword_at: int = 0) -> tuple[bool, Samples]:
    async def run() -> tuple[bool, Samples]:
        await room.announce()
        await room.delivery.deliver(room.first)
        room.clock.now = reword_at
        reworded = await room.delivery.reword(room.first, BETTER, room.second)
        await room.delivery.deliver(room.second)
        room.clock.now = 60 * SECOND
        return reworded, await room.listen()

    return asyncio.run(run())


def _pitch(sound: Samples) -> float:
    return np.count_nonzero(np.diff(np.signbit(sound))) / len(sound)


def test_the_better_words_are_heard_in_the_same_slot_at_the_same_loudness() -> None:
    plain = Room()
    _, unchanged = _run(plain, reword_at=4 * SECOND)
    room = Room()
    reworded, heard = _run(room)
    assert reworded and room.asked == [SAID, BETTER, SAID]
    assert (room.first.translation, room.first.reworded) == (BETTER, True)
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
    assert (room.first.translation, room.first.reworded) == (SAID, False)


def test_a_dub_whose_turn_has_not_come_is_spoken_in_the_better_words_alone() -> None:
    async def run(room: Room) -> bool:
        await room.announce()
        reworded = await room.delivery.reword(room.first, BETTER, room.second)
        await room.delivery.deliver(room.first)
        await room.delivery.aclose()
        return reworded

    room = Room()
    assert asyncio.run(run(room)) and room.asked == [BETTER]


def test_a_fault_of_the_voice_leaves_the_dub_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> tuple[bool, Samples]:
        await room.announce()
        await room.delivery.deliver(room.first)
        room.fault = RuntimeError("the voice broke")
        reworded = await room.delivery.reword(room.first, BETTER, room.second)
        room.fault, room.clock.now = None, 60 * SECOND
        room.second.utterance = room.first.utterance  # nothing more is said
        return reworded, await room.listen()

    plain, room = Room(), Room()
    _, unchanged = _run(plain, reword_at=4 * SECOND)
    reworded, heard = asyncio.run(run())
    end = plain.second.slot.start
    assert not reworded and room.first.translation == SAID
    assert np.array_equal(heard[:end], unchanged[:end])
    assert "the voice broke" in caplog.text


def test_files_are_spoken_once() -> None:
    room = Room()
    room.clock.live = False
    reworded, _ = _run(room)
    assert not reworded and room.asked == [SAID, SAID]
