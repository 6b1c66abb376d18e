"""Playout on a virtual clock: what comes out when, and what it waits for."""

import asyncio

import numpy as np
import pytest

from stream.clock.pacing import Live, Offline, Pacing, RealTime
from stream.dub.jitter import Played
from stream.dub.mixdown import Mixdown
from stream.dub.playout import BATCH, Playout
from stream.frames import AudioChunk
from stream.sound.mix import MixOptions
from stream.timeline import FRAME, TICK_RATE, Interval, ticks
from tests.helpers.dubbing import LEVEL, Viewer, live, picture, since_start, tone

pytestmark = pytest.mark.virtual_time


class Room:
    """A playout, its viewer, and what it said of dubs."""

    def __init__(
        self, pacing: Pacing, *, bed: MixOptions | None = None, capacity: float = 60
    ) -> None:
        self.viewer = Viewer()
        self.played: list[Played] = []
        mixdown = Mixdown(1, None, bed or MixOptions())
        self.playout = Playout(1, mixdown, pacing, self.played.append, ticks(capacity))
        self.pacing = pacing
        pacing.start()

    async def feed(self, start: float, end: float) -> None:
        sound = np.full((ticks(end) - ticks(start), 1), LEVEL, np.float32)
        if isinstance(self.pacing, Live):
            await self.pacing.source(0)
        await self.playout.feed([AudioChunk(ticks(start), sound)])

    async def run(self) -> None:
        await self.playout.run(self.viewer.emit)

    def dub(self, id_: int, start: float, length: float = 1.0) -> None:
        """A whole dub of a tone in its slot."""
        slot = Interval(ticks(start), ticks(start + length))
        self.playout.schedule(id_, slot, slot)
        self.playout.append(id_, tone(length))
        self.playout.finish(id_, slot, slot)

    def announce(self, id_: int, start: float, end: float) -> Interval:
        slot = Interval(ticks(start), ticks(end))
        self.playout.announce(id_, slot)
        return slot


async def test_offline_everything_comes_out_at_once_and_as_long_as_it_was() -> None:
    room = Room(Offline())
    await room.feed(0, 3.01)
    room.playout.end_source()
    await room.run()
    assert since_start() == 0
    assert len(room.viewer.sound) == len(room.viewer.dub) == ticks(3.01)
    assert np.allclose(room.viewer.sound, LEVEL)
    starts = [block.start for block in room.viewer.blocks[:-1]]
    assert starts == list(range(0, ticks(3.0), BATCH))


async def test_a_source_without_sound_ends_at_once() -> None:
    room = Room(Offline())
    await room.playout.feed([picture(0.0), picture(0.04)])
    room.playout.end_source()
    await room.run()
    assert [len(block.packets) for block in room.viewer.blocks] == [2]
    assert len(room.viewer.sound) == 0


async def test_at_the_sources_pace_blocks_come_when_their_last_frame_is_seen() -> None:
    room = Room(RealTime(4.0))
    await room.feed(0, 1.0)
    room.playout.end_source()
    await room.run()
    expected = [4.0 + 0.2 * n + 0.18 for n in range(5)]
    assert room.viewer.times[:-1] == pytest.approx(expected, abs=1e-9)
    assert room.viewer.times[-1] == 5.0


async def test_live_frames_come_one_ahead_of_their_times() -> None:
    room = Room(live(4.0))
    await room.feed(0, 0.2)
    room.playout.end_source()
    await room.run()
    assert room.viewer.times[:-1] == pytest.approx([3.98 + 0.02 * n for n in range(10)], abs=1e-9)


async def test_packets_come_out_with_the_frame_of_their_time() -> None:
    room = Room(live(4.0))
    packets = [picture(0.02 * n + 0.005) for n in range(10)]
    await room.playout.feed(packets)
    await room.feed(0, 0.2)
    room.playout.end_source()
    await room.run()
    for block in room.viewer.blocks[:-1]:
        assert [p.time for p in block.packets] == [block.start + ticks(0.005)]


async def test_packets_beyond_the_sound_come_out_at_the_end_unless_stopped() -> None:
    for stopped in (False, True):
        room = Room(Offline())
        await room.feed(0, 0.1)
        await room.playout.feed([picture(0.05), picture(5.0)])
        room.playout.end_source()
        if stopped:
            room.playout.stop()
        await room.run()
        out = [p for block in room.viewer.blocks for p in block.packets]
        assert len(out) == (1 if stopped else 2)


async def test_a_dub_may_end_on_the_picture_that_runs_on_after_the_sound() -> None:
    room = Room(Offline())
    await room.feed(0, 2.0)
    await room.playout.feed([picture(2.6)])
    room.playout.end_source()
    room.dub(0, 1.5, 2.0)
    await room.run()
    assert room.played == [Played(0, Interval(ticks(1.5), ticks(2.6)), 0)]


@pytest.mark.parametrize("pacing", [Offline(), RealTime(1.0)])
async def test_a_dub_is_waited_for_only_where_nobody_watches(pacing: Pacing) -> None:
    room = Room(pacing)
    await room.feed(0, 4)
    room.announce(0, 1, 2)
    room.playout.end_source()

    async def late() -> None:
        await asyncio.sleep(2.505)
        room.dub(0, 1.0)

    async with asyncio.TaskGroup() as group:
        group.create_task(late())
        group.create_task(room.run())
    (played,) = room.played
    # At pace, its first frame is that which is due next after 2.505.
    begins = 1.0 if isinstance(pacing, Offline) else 1.52
    assert played.interval == Interval(ticks(begins), ticks(begins + 1))


async def test_offline_nothing_is_played_beyond_what_is_settled_or_begun() -> None:
    room = Room(Offline())
    await room.feed(0, 6)
    lead = ticks(0.1)  # the bed's attack and the longest lead
    task = asyncio.create_task(room.run())

    async def reached() -> int:
        for _ in range(1000):
            await asyncio.sleep(0)
        return room.playout.position

    assert await reached() == 0
    room.playout.settle(ticks(1))
    assert await reached() == ticks(1) - lead
    slot = room.announce(0, 2, 3)
    room.playout.settle(ticks(5))
    assert await reached() == ticks(2) - lead
    room.playout.schedule(0, slot, slot)
    assert await reached() == ticks(2) - lead  # nothing of it is there
    room.playout.append(0, tone(0.5))
    assert await reached() == ticks(2.5) - lead
    room.playout.append(0, tone(0.5))
    room.playout.finish(0, slot, slot)
    assert await reached() == ticks(5) - lead
    other = room.announce(1, 5, 6)
    room.playout.end_source()
    assert await reached() == ticks(5) - lead
    room.playout.give_up(1, other)
    await task
    assert room.played == [Played(0, slot, 0)]


async def test_a_full_delay_line_holds_the_source_back_until_it_is_played() -> None:
    room = Room(RealTime(1.0), capacity=2.0)
    await room.feed(0, 2.0)
    task = asyncio.create_task(room.run())
    await room.feed(2.0, 3.0)
    # The first frame is seen at 1.0; what it makes room for is told with its block.
    assert since_start() == pytest.approx(1.18, abs=1e-9)
    await room.feed(3.0, 4.0)
    assert since_start() == pytest.approx(2.18, abs=1e-9)
    room.playout.end_source()
    await task


async def test_pictures_hold_their_source_back_as_sound_does() -> None:
    room = Room(live(1.0), capacity=2.0)
    await room.feed(0, 1.0)
    task = asyncio.create_task(room.run())
    for number in range(600):
        await room.playout.feed([picture(number / 100)])
        assert number / 100 <= since_start() + 2.1
    assert since_start() == pytest.approx(5.0, abs=0.3)
    room.playout.stop()
    await task


async def test_pictures_whose_clock_has_jumped_hold_nobody_back() -> None:
    room = Room(RealTime(1.0), capacity=2.0)
    await room.feed(0, 1.0)
    await room.playout.feed([picture(3600.0), picture(3600.04)])
    await room.feed(1.0, 1.5)
    assert since_start() == 0


async def test_who_waits_for_room_is_let_go_when_playout_stops() -> None:
    room = Room(Offline(), capacity=1.0)
    await room.feed(0, 1.0)
    waiting = asyncio.create_task(room.feed(1.0, 2.0))
    await asyncio.sleep(1)
    assert not waiting.done()
    room.playout.stop()
    await waiting


async def test_a_cancelled_feed_leaves_nothing_behind() -> None:
    room = Room(Offline(), capacity=1.0)
    await room.feed(0, 1.0)
    waiting = asyncio.create_task(room.feed(1.0, 2.0))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    room.playout.end_source()
    await room.run()
    assert len(room.viewer.sound) == ticks(1.0)
    assert not room.playout._changed._waiting


async def test_the_original_is_heard_live_where_nobody_knows_yet_what_to_say() -> None:
    room = Room(live(2.0), bed=MixOptions(bed="mute"))
    await room.feed(0, 6)
    slot = room.announce(0, 1, 2)
    given_up = room.announce(1, 4, 5)
    room.playout.give_up(1, given_up)
    task = asyncio.create_task(room.run())
    await asyncio.sleep(3.5)  # the viewer sees 1.5 s
    assert not room.viewer.sound[: ticks(1.0)].any()
    assert np.allclose(room.viewer.sound[ticks(1.1) : ticks(1.45)], LEVEL)
    room.playout.schedule(0, slot, slot)
    await asyncio.sleep(5)
    sound = room.viewer.sound
    # The dub took its slot back, after the usual hold and release; of the other the original
    # is heard.
    assert not sound[ticks(2.1) : ticks(3.9)].any()
    assert np.allclose(sound[given_up.start : given_up.end], LEVEL)
    room.playout.finish(0, slot, slot, broke_off=True)
    room.playout.end_source()
    await task


async def test_a_live_picture_goes_on_without_its_source_and_drains_when_it_has_ended() -> None:
    room = Room(live(1.0))
    await room.feed(0, 0.5)
    task = asyncio.create_task(room.run())
    await asyncio.sleep(4.0)
    assert room.playout.position == pytest.approx(ticks(3.0), abs=2 * FRAME)
    assert np.allclose(room.viewer.sound[: ticks(0.5)], LEVEL)
    assert not room.viewer.sound[ticks(0.51) :].any()
    room.playout.end_source()
    await task
    assert since_start() == pytest.approx(4.0, abs=0.05)


async def test_live_nothing_is_played_before_the_first_sound() -> None:
    room = Room(live(1.0))
    task = asyncio.create_task(room.run())
    await asyncio.sleep(10)
    assert room.playout.position == 0 and not room.viewer.blocks
    room.playout.end_source()
    await task
    assert len(room.viewer.sound) == 0


@pytest.mark.parametrize("running", [False, True])
async def test_stop_ends_the_wait_for_the_next_frame(running: bool) -> None:
    room = Room(live(5.0) if running else RealTime(5.0))
    await room.feed(0, 1)
    room.playout.settle(ticks(1))
    task = asyncio.create_task(room.run())
    await asyncio.sleep(2.0)
    room.playout.stop()
    await task
    assert since_start() == 2.0


async def test_stop_plays_what_is_ready_and_no_more() -> None:
    room = Room(RealTime(1.0))
    await room.feed(0, 6)
    room.dub(0, 1.0)
    room.playout.settle(ticks(3))
    room.announce(1, 2.5, 4)
    task = asyncio.create_task(room.run())
    await asyncio.sleep(1.5)
    room.playout.stop()
    await task
    assert since_start() == 1.5
    assert [played.id for played in room.played] == [0]
    assert room.playout.position == ticks(2.4)
    assert len(room.viewer.sound) == ticks(2.4)


async def test_what_is_free_after_a_slot_is_told_once_it_is_certain() -> None:
    room = Room(Offline())
    await room.feed(0, 9)
    slot = room.announce(0, 1, 2)
    until = asyncio.create_task(room.playout.horizon(slot, ticks(3)))
    await asyncio.sleep(1)
    room.playout.settle(ticks(2.9))
    await asyncio.sleep(1)
    assert not until.done() and room.playout.free_until(slot) == ticks(2.9)
    room.announce(1, 2.95, 4)
    assert await until == ticks(2.95)
    stopped = asyncio.create_task(room.playout.horizon(Interval(ticks(5), ticks(6)), ticks(7)))
    await asyncio.sleep(1)
    room.playout.stop()
    assert await stopped == ticks(2.9)
    room.playout.end_source()
    assert room.playout.free_until(Interval(ticks(5), ticks(6))) == ticks(10)


async def test_a_dub_is_replaced_until_it_is_heard() -> None:
    room = Room(live(1.0))
    await room.feed(0, 4)
    room.dub(0, 1.0)
    room.dub(1, 2.0)
    task = asyncio.create_task(room.run())
    better = Interval(ticks(2.5), ticks(3.0))
    assert not room.playout.replace(0, better, better, tone(0.5))  # not the newest
    assert room.playout.replace(1, Interval(ticks(2), ticks(3)), better, tone(0.5))
    await asyncio.sleep(3.6)
    assert not room.playout.replace(1, better, better, tone(0.5))
    room.playout.end_source()
    await task
    assert room.played[1].interval == better


async def test_a_dub_that_is_heard_when_the_source_ends_ends_with_it() -> None:
    room = Room(RealTime(1.0))
    await room.feed(0, 1.5)
    room.playout.end_source()
    room.dub(0, 1.0, 2.0)
    await room.run()
    assert room.played == [Played(0, Interval(TICK_RATE, ticks(1.5)), 0)]
