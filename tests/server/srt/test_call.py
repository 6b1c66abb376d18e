"""A server that is called by SRT, and goes away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from server.addresses.reach import Public
from server.sessions.sources import Pull
from stream.clock.playout_clock import PlayoutClock
from stream.frames import AudioChunk, PicturePacket
from stream.live.source import LiveSource
from stream.media.live_input import Reader
from tests.helpers.nginx_rtmp import free_port
from tests.helpers.srt_peer import needs_srt, publishing
from tests.helpers.streams import small_source

pytestmark = needs_srt


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("clip") / "clip.mp4", length=4)


@pytest.mark.parametrize("reader", ["process", "thread"])
async def test_it_is_called_until_it_answers(clip: Path, reader: Reader) -> None:
    port = free_port(socket.SOCK_DGRAM)
    url = f"srt://127.0.0.1:{port}?passphrase=a-good-long-passphrase&streamid=hush"
    pull = Pull(url, reach=Public.declared(["127.0.0.1"]), reader=reader)
    source = LiveSource(pull.connect, PlayoutClock(1.0))
    got: list[AudioChunk | PicturePacket] = []
    links = []

    async def read() -> None:
        async with contextlib.aclosing(source.batches()) as media:
            async for batch in media:
                got.extend(batch)
                links.append(source.link)

    with publishing(clip, f"{url}&mode=listener"):
        running = asyncio.create_task(read())
        async with asyncio.timeout(20):
            while links.count(None) == len(links) or len({type(one) for one in got}) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert source.transport == "pull"
    await source.aclose()
    await asyncio.wait_for(running, 10)
    assert {type(item) for item in got} == {AudioChunk, PicturePacket}
    assert links[-1].dropped == 0 and 0 < links[-1].rtt < 0.5


async def test_why_it_cannot_be_called_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("server.srt.process.CALL_S", 1.0)
    port = free_port(socket.SOCK_DGRAM)
    pull = Pull(f"srt://127.0.0.1:{port}?streamid=hush&passphrase=a-good-long-passphrase")
    calling = asyncio.create_task(pull.connect())
    async with asyncio.timeout(30):
        while pull.failure is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    calling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await calling
    assert pull.failure == "the source cannot be opened: nobody answers there"
    assert "hush" not in caplog.text
