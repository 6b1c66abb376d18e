import asyncio

import pytest

from stream.flow.channel import Channel, Closed


async def test_a_full_channel_holds_its_sender_back() -> None:
    async def scenario() -> None:
        channel: Channel[int] = Channel(2)
        await channel.send(1)
        await channel.send(2)
        third = asyncio.create_task(channel.send(3))
        await asyncio.sleep(0)
        assert not third.done() and len(channel) == 2
        assert await channel.receive() == 1
        await third
        assert [await channel.receive(), await channel.receive()] == [2, 3]
        assert channel.stats.peak == 2

    await scenario()


async def test_closing_drains_then_ends() -> None:
    async def scenario() -> None:
        channel: Channel[int] = Channel(3)
        await channel.send(1)
        channel.close()
        channel.close()
        with pytest.raises(Closed):
            await channel.send(2)
        assert [item async for item in channel] == [1]
        with pytest.raises(Closed):
            await channel.receive()

    await scenario()


async def test_closing_wakes_a_waiting_sender_and_receiver() -> None:
    async def scenario() -> None:
        full: Channel[int] = Channel(1)
        await full.send(1)
        sender = asyncio.create_task(full.send(2))
        empty: Channel[int] = Channel(1)
        receiver = asyncio.create_task(empty.receive())
        await asyncio.sleep(0)
        full.close()
        empty.close()
        for waiting in (sender, receiver):
            with pytest.raises(Closed):
                await waiting

    await scenario()


async def test_a_cancelled_receiver_loses_nothing() -> None:
    async def scenario() -> None:
        channel: Channel[int] = Channel(1)
        receiver = asyncio.create_task(channel.receive())
        await asyncio.sleep(0)
        receiver.cancel()
        await asyncio.gather(receiver, return_exceptions=True)
        await channel.send(7)
        assert await channel.receive() == 7

    await scenario()


def test_a_channel_holds_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Channel(0)
