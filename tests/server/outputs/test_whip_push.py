"""A dub published by WHIP: to our own door, and to servers that refuse."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest

import server.outputs.whip_push
from server.addresses.reach import Public
from server.outputs.whip_push import WhipPush
from server.webrtc.whip_client import Endpoint
from stream.timeline import TICK_RATE
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import flashes, until
from tests.helpers.streams import pictures_of
from tests.helpers.whip_server import answering, studio

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

TOKEN = "a-token-that-is-secret"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    high = ("-bf", "0", "-preset", "veryfast", "-profile:v", "high")
    return flashes(tmp_path_factory.mktemp("whip") / "flash.mkv", length=20, extra=high)


async def test_our_own_door_gets_it_in_sync_and_again_after_a_restart(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.outputs.whip_push, "FIRST_PAUSE_S", 0.3)
    async with studio(TOKEN) as door, file_feed(clip) as feed:
        push = WhipPush(feed, "pt", Endpoint(door.url, TOKEN))
        running = asyncio.create_task(push.run())
        await until(lambda: bool(door.received) and door.received[0].seconds() > 2.5)
        assert push.connected and push.status().state == "running"
        await until(lambda: push.status().link is not None)
        # The server goes, and with it the connection.
        await door.peers.dismiss("s", "publish")
        await until(lambda: push.status().state == "retrying")
        assert "the connection was lost" in str(push.status().failure)
        await until(lambda: len(door.received) > 1 and door.received[1].seconds() > 1.5)
        back = push.status()
        assert (back.state, back.failure, back.reconnects) == ("running", None, 1)
        assert 0 < back.missed < 15 * TICK_RATE and back.target in door.url
        await push.aclose()
        await running
        await until(lambda: door.sources[1].ended.is_set())
        assert feed.picture.readers == 0 and push.status().state == "ended"
    sent = {picture.data for picture in pictures_of(clip)}
    for received in door.received:
        assert len(received.pictures) > 20
        # Passed through as they are, though their profile is not the one that WebRTC begins with.
        assert {picture.data for picture in received.pictures} <= sent
        offsets = received.offsets()
        assert offsets and max(map(abs, offsets)) < 0.04


async def test_what_a_server_refuses_is_offered_to_any_decoder_and_then_said(
    clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server.outputs.whip_push, "FIRST_PAUSE_S", 0.1)
    with answering(lambda offer: (422, "")) as asked:
        async with file_feed(clip) as feed:
            push = WhipPush(feed, "pt", Endpoint(asked.url, TOKEN))
            running = asyncio.create_task(push.run())
            await until(lambda: push.status().failure is not None)
            await push.aclose()
            await running
            status = push.status()
    first, second = asked.offers[:2]
    assert set(re.findall("profile-level-id=(....)", first)) == {"6400"}
    assert set(re.findall("profile-level-id=(....)", second)) == {"42e0"}
    for offer in (first, second):
        assert offer.count("m=") == 2 and offer.count("a=sendonly") == 2
        assert "opus/48000/2" in offer and "a=group:BUNDLE 0 1" in offer
    assert asked.tokens[0] == f"Bearer {TOKEN}"
    assert status.failure is not None and "the server refuses the offer (422)" in status.failure
    for secret in (TOKEN, "hush", "room"):
        assert secret not in caplog.text and secret not in str(status)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, ""), r"does not take the token \(401\)"),
        ((500, ""), "answers 500"),
        ((201, "nonsense"), "no session description"),
        ((201, "v=0\r\n"), "does not take the picture|cannot be used"),
    ],
)
async def test_why_it_cannot_publish_is_one_sentence(
    clip: Path, answer: tuple[int, str], said: str
) -> None:
    with answering(lambda offer: answer) as asked:
        async with file_feed(clip) as feed:
            push = WhipPush(feed, "pt", Endpoint(asked.url, TOKEN))
            running = asyncio.create_task(push.run())
            await until(lambda: push.status().failure is not None)
            await push.aclose()
            await running
            assert re.search(said, str(push.status().failure))
            assert feed.picture.readers == 0


async def test_addresses_are_checked_those_in_the_answer_too(clip: Path) -> None:
    """Neither the server nor what it answers may lead where a session must not go."""
    private = "a=candidate:1 1 udp 1 10.9.8.7 9 typ host\r\n"
    line = "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\n"
    with answering(lambda offer: (201, f"v=0\r\n{line}{private}")) as asked:
        async with file_feed(clip) as feed:
            for reach, said in (
                (Public.declared([]), "is private"),
                (Public.declared(["127.0.0.1"]), "the server's addresses are private"),
            ):
                push = WhipPush(feed, "pt", Endpoint(asked.url, TOKEN, reach))
                running = asyncio.create_task(push.run())
                await until(lambda: push.status().failure is not None)  # noqa: B023
                await push.aclose()
                await running
                assert said in str(push.status().failure)
    assert len(asked.offers) == 1 and asked.left == ["/whip/resources/1"]
