import asyncio

import pytest

from stream.flow.channel import Channel
from stream.flow.signal import Signal

pytestmark = pytest.mark.virtual_time


async def test_what_holds_already_is_not_waited_for() -> None:
    await Signal().wait_for(lambda: True)


async def test_everybody_looks_again_when_the_state_has_changed() -> None:
    signal, state, seen = Signal(), {0}, []

    async def wait(number: int) -> None:
        await signal.wait_for(lambda: number in state)
        seen.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in (1, 2)]
    await asyncio.sleep(1)
    signal.notify()
    await asyncio.sleep(1)
    assert seen == []
    state.add(2)
    signal.notify()
    signal.notify()  # twice before anybody has looked
    await asyncio.sleep(1)
    assert seen == [2] and len(signal._waiting) == 1
    state.add(1)
    signal.notify()
    await asyncio.gather(*tasks)
    assert seen == [2, 1]


async def test_a_change_that_was_undone_before_anybody_looked_wakes_nobody_for_good() -> None:
    signal, state = Signal(), [False]
    waiting = asyncio.create_task(signal.wait_for(lambda: state[0]))
    await asyncio.sleep(1)
    state[0] = True
    signal.notify()
    state[0] = False
    await asyncio.sleep(1)
    assert not waiting.done()
    state[0] = True
    signal.notify()
    await waiting


async def test_who_is_cancelled_while_waiting_is_forgotten() -> None:
    signal = Signal()
    waiting = asyncio.create_task(signal.wait_for(lambda: False))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled() and not signal._waiting


async def test_cancelled_as_the_state_changes_one_ends_and_the_others_go_on() -> None:
    signal, state = Signal(), [False]
    one, other = (asyncio.create_task(signal.wait_for(lambda: state[0])) for _ in range(2))
    await asyncio.sleep(1)
    state[0] = True
    signal.notify()
    one.cancel()
    await asyncio.wait([one, other])
    assert one.cancelled() and not other.cancelled() and not signal._waiting


async def test_a_sender_who_is_cancelled_while_waiting_for_room_sends_nothing() -> None:
    channel: Channel[int] = Channel(1)
    await channel.send(1)
    waiting = [asyncio.create_task(channel.send(number)) for number in (2, 3)]
    await asyncio.sleep(1)
    waiting[0].cancel()
    assert await channel.receive() == 1
    assert await channel.receive() == 3
    await asyncio.wait(waiting)
    assert channel.stats.sent == 2 and len(channel) == 0


async def test_a_receiver_who_is_cancelled_as_an_item_comes_leaves_it_to_the_next() -> None:
    channel: Channel[int] = Channel(1)
    one, other = (asyncio.create_task(channel.receive()) for _ in range(2))
    await asyncio.sleep(1)
    await channel.send(7)
    one.cancel()
    assert await other == 7
    assert one.cancelled() and channel.stats.received == 1
