import asyncio

import pytest

from stream.flow.broadcast import Broadcast
from tests.helpers.feeds import file_feed

pytestmark = pytest.mark.virtual_time


async def test_every_reader_gets_everything_from_when_it_joined() -> None:
    broadcast = Broadcast[int]()
    early = broadcast.subscribe(10)
    broadcast.publish(1)
    late = broadcast.subscribe(10)
    broadcast.publish(2)
    broadcast.close()
    assert [item async for item in early] == [1, 2]
    assert [item async for item in late] == [2]
    assert broadcast.readers == 0


async def test_a_slow_reader_loses_the_oldest_and_knows_how_many() -> None:
    broadcast = Broadcast[int]()
    slow, fast = broadcast.subscribe(2), broadcast.subscribe(5)
    for item in range(5):
        broadcast.publish(item)
    broadcast.close()
    assert [item async for item in slow] == [3, 4]
    assert slow.missed == 3
    assert [item async for item in fast] == [0, 1, 2, 3, 4]
    assert fast.missed == 0


async def test_a_reader_that_leaves_is_forgotten() -> None:
    broadcast = Broadcast[int]()
    reader = broadcast.subscribe(1)
    waiting = asyncio.create_task(anext(reader))
    await asyncio.sleep(0)
    reader.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    broadcast.publish(1)
    assert broadcast.readers == 0


async def test_joining_after_the_end_ends_at_once() -> None:
    broadcast = Broadcast[int]()
    broadcast.close()
    assert [item async for item in broadcast.subscribe(1)] == []


def test_a_subscription_must_hold_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Broadcast[int]().subscribe(0)


async def test_a_file_played_as_a_feed_keeps_its_clock(clip) -> None:  # type: ignore[no-untyped-def]
    loop = asyncio.get_running_loop()
    async with file_feed(clip.path, speed=4.0) as feed:
        sound = feed.tracks["pt"].subscribe(1000)
        picture = feed.picture.subscribe(1000)
        async for block in sound:
            late = loop.time() - feed.due(block.start)
            assert abs(late) < 1e-6
        times = [packet.time async for packet in picture]
        assert times == sorted(times)
        assert len(times) > 50
