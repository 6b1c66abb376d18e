import asyncio

import pytest

from stream.flow.broadcast import Broadcast

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
