"""WHIP from real aiortc peers on this machine."""

import asyncio
import shutil
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from server.webrtc import peer as webrtc_peer
from server.webrtc import whip
from server.webrtc.peer import UnsupportedOfferError
from server.webrtc.rtp_order import Lost
from server.webrtc.rtp_receive import Reception
from server.webrtc.whip import WhipSource, publish
from stream.timeline import FRAME, TICK_RATE
from tests.helpers.feeds import file_feed
from tests.helpers.received import Received
from tests.helpers.rtc import (
    Publisher,
    Shuffled,
    Viewer,
    cut_off,
    flashes,
    lossy,
    nothing_left,
    until,
)

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashes(tmp_path_factory.mktemp("whip") / "flash.mkv")


async def received(
    path: Path, seconds: float, *, late: float = 0.0, loss: float = 0.0
) -> tuple[Received, WhipSource, dict[str, int]]:
    got = Received()
    async with file_feed(path) as feed:
        publisher = Publisher(feed)
        source = await publish(await publisher.offer())
        lost = lossy(source, loss)
        reading = asyncio.create_task(got.read(source))
        await publisher.accept(source.answer, late_picture=late)
        await until(lambda: got.seconds() >= seconds or reading.done())
        await publisher.close()
        await asyncio.wait_for(source.ended.wait(), 5)
        await asyncio.wait_for(reading, 5)
        await source.aclose()
    await nothing_left()
    return got, source, lost


async def test_sound_and_picture_come_on_one_timeline(clip: Path) -> None:
    got, source, _ = await received(clip, 3.5)
    assert source.concealed == 0
    assert got.pictures[0].key
    assert got.pictures[0].format.codec == "h264"
    assert (got.pictures[0].format.width, got.pictures[0].format.height) == (160, 90)
    print("offsets, ms:", [round(o * 1000, 2) for o in got.offsets()])
    assert len(got.offsets()) >= 2
    assert max(map(abs, got.offsets())) < 0.015
    gaps = np.diff(got.beeps())
    assert np.allclose(gaps, 1, atol=0.001)


async def test_reports_correct_a_picture_that_is_always_late(clip: Path) -> None:
    got, _, _ = await received(clip, 4.5, late=0.15)
    print("offsets, ms:", [round(o * 1000, 2) for o in got.offsets()])
    assert max(map(abs, got.offsets()[-2:])) < 0.015


async def test_loss_costs_what_was_lost_and_nothing_else(clip: Path) -> None:
    got, source, lost = await received(clip, 4.5, loss=0.05)
    print("lost", lost, "concealed, ms:", source.concealed / 48, "pictures", len(got.pictures))
    assert lost["audio"] > 3
    # At the ends of the stream a loss cannot be known.
    assert 0 <= lost["audio"] * FRAME - source.concealed <= 3 * FRAME
    # Every beep is where it was: a lost packet may hide its first 20 ms, or split it.
    beeps = np.array(got.beeps())
    phases = (beeps - beeps[:, None]) % 1  # against each of them
    assert ((phases < 0.23) | (phases > 0.99)).all(axis=1).any(), beeps
    # Lost packets of picture are asked for again.
    assert lost["video"] > 3
    assert len(got.pictures) > 0.9 * 25 * (got.seconds() - 1)
    assert np.diff([p.time for p in got.pictures]).max() < TICK_RATE


async def test_a_process_that_stood_still_gives_up_nothing_that_came(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fills a gap is in the socket, behind others, when after 0.6 s the gap's time is over."""
    stalls = 4
    given_up: list[Lost] = []
    offered, answered, enough = Future[str](), Future[str](), Future[None]()
    shuffled: list[Shuffled] = []

    async def publish_elsewhere() -> None:
        async with file_feed(clip) as feed:
            publisher = Publisher(feed)
            offered.set_result(await publisher.offer())
            await publisher.accept(await asyncio.wrap_future(answered), shuffled=True)
            shuffled.extend(publisher.shuffled)
            await asyncio.wrap_future(enough)
            await publisher.close()

    def stall(stream: Reception, got: Received) -> None:
        take = stream._receiver._handle_rtp_packet

        async def taken(packet: object, arrival_time_ms: int) -> None:
            nonlocal stalls
            await take(packet, arrival_time_ms=arrival_time_ms)
            if stream.order.deadline() is None:
                return
            if stalls and got.pictures:
                stalls -= 1
                time.sleep(0.6)  # noqa: ASYNC251
            while any(transport.sending for transport in shuffled):
                time.sleep(0.001)  # noqa: ASYNC251

        stream._receiver._handle_rtp_packet = taken

    publishing = asyncio.create_task(asyncio.to_thread(asyncio.run, publish_elsewhere()))
    got = Received()
    source = await publish(await asyncio.wrap_future(offered))
    assert source._sound is not None and source._picture is not None
    monkeypatch.setattr(source._assembler, "lost", given_up.append)
    for stream in (source._sound, source._picture):
        stall(stream, got)
    reading = asyncio.create_task(got.read(source))
    answered.set_result(source.answer)
    await until(lambda: not stalls and got.seconds() > 4)
    enough.set_result(None)
    await publishing
    await asyncio.wait_for(source.ended.wait(), 5)
    await asyncio.wait_for(reading, 5)
    await source.aclose()
    assert source._sound is not None
    print("concealed, ms:", source.concealed / 48)
    assert source._sound.order.late == 0
    assert given_up == []


async def test_a_publisher_who_vanishes_is_noticed(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webrtc_peer, "SILENCE_S", 1.0)
    monkeypatch.setattr(webrtc_peer, "CHECK_INTERVAL_S", 0.25)

    async with file_feed(clip) as feed:
        publisher = Publisher(feed)
        source = await publish(await publisher.offer())
        got = Received()
        reading = asyncio.create_task(got.read(source))
        await publisher.accept(source.answer)
        await until(lambda: got.seconds() > 0.5)
        cut_off(publisher.connection)
        await asyncio.wait_for(source.closed.wait(), 5)
        await asyncio.wait_for(reading, 5)
        await source.aclose()
        await publisher.close()
    await nothing_left()


async def test_sound_alone_is_enough(clip: Path) -> None:
    async with file_feed(clip) as feed:
        publisher = Publisher(feed, codec="")
        source = await publish(await publisher.offer())
        got = Received()
        reading = asyncio.create_task(got.read(source))
        await publisher.accept(source.answer)
        await until(lambda: got.seconds() > 1)
        await source.aclose()
        await reading
        await publisher.close()
        assert not got.pictures
    await nothing_left()


async def test_a_reader_who_does_not_come_costs_bounded_memory(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whip, "SOUND_HELD", 25)
    monkeypatch.setattr(whip, "PICTURE_HELD", 25)

    async with file_feed(clip) as feed:
        publisher = Publisher(feed)
        source = await publish(await publisher.offer())
        await publisher.accept(source.answer)
        await until(lambda: source._sound is not None and source._picture is not None)
        assert source._sound is not None and source._picture is not None
        orders = (source._sound.order, source._picture.order)
        await until(lambda: all(len(order) == 25 for order in orders), 60)
        await asyncio.sleep(0.5)
        assert [len(order) for order in orders] == [25, 25]
        got = Received()
        reading = asyncio.create_task(got.read(source))
        await until(lambda: got.seconds() > 1 and len(got.pictures) > 5)
        assert got.pictures[0].key
        await source.aclose()
        await reading
        await publisher.close()


async def test_offers_that_cannot_be_served_are_refused() -> None:
    with pytest.raises(UnsupportedOfferError, match="no sound"):
        await publish(await sends("video"))
    viewer = Viewer(("audio",))
    with pytest.raises(UnsupportedOfferError, match="sendonly, not recvonly"):
        await publish(await viewer.offer())
    await viewer.close()
    await nothing_left()


async def sends(kind: str) -> str:
    """An offer to send one kind."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver(kind, direction="sendonly")
    await connection.setLocalDescription(await connection.createOffer())
    offer = connection.localDescription.sdp
    await connection.close()
    return offer
