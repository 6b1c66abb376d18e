"""A pulled broadcast to which a picture or sound is added in mid-stream went on without for ever;
what is added must be seen and heard, in sync, without ending the connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from server.sessions.sources import Pull
from stream.clock.playout_clock import PlayoutClock
from stream.frames import AudioChunk, PicturePacket
from stream.live.source import LiveSource
from stream.media import source as media_source
from stream.timeline import TICK_RATE
from tests.helpers.made_sources import Heard, beeping, in_order, read
from tests.helpers.nginx_rtmp import free_port
from tests.helpers.served_folder import playlist, served
from tests.helpers.streams import ffmpeg

PART_S = 3.0


async def send(port: int, *parts: Path) -> None:
    """Transport streams one after the other, each as long as it lasts."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
    )
    begun = loop.time()
    try:
        for number, part in enumerate(parts):
            data = part.read_bytes()
            blocks = [data[at : at + 1316] for at in range(0, len(data), 1316)]
            for at, block in enumerate(blocks):
                due = begun + PART_S * (number + at / len(blocks))
                await asyncio.sleep(max(0.0, due - loop.time()))
                transport.sendto(block)
    finally:
        transport.close()


async def taken(*parts: Path) -> tuple[LiveSource, Heard]:
    port = free_port(socket.SOCK_DGRAM)
    source = LiveSource(Pull(f"udp://127.0.0.1:{port}").connect, PlayoutClock(1.0))
    sending = asyncio.create_task(send(port, *parts))
    items: list[AudioChunk | PicturePacket] = []

    async def end() -> None:
        await sending
        await asyncio.sleep(0.3)
        await source.aclose()

    ending = asyncio.create_task(end())
    async with asyncio.timeout(60), contextlib.aclosing(source.batches()) as batches:
        async for batch in batches:
            items += batch
    await ending
    heard = Heard()
    heard.add(in_order(items))
    return source, heard


def in_sync_at_the_end(heard: Heard) -> None:
    """The last beep is a second after the one before, and a second before the last picture."""
    assert heard.beeps[-1] - heard.beeps[-2] == pytest.approx(1, abs=0.05)
    assert heard.shown[-1] - heard.beeps[-1] == pytest.approx(0.96, abs=0.1)
    assert heard.shown[-1] == pytest.approx(3 * PART_S - 0.04, abs=0.7)


@pytest.mark.parametrize("first", ["a", "v"])
async def test_what_is_added_joins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(media_source, "LOOK_AGAIN", TICK_RATE)
    plain = beeping(tmp_path / "plain.mkv", length=3 * PART_S)
    parts = [tmp_path / "one.ts", tmp_path / "two.ts", tmp_path / "three.ts"]
    for number, part in enumerate(parts):
        maps = ("-map", f"0:{first}") if number == 0 else ("-map", "0")
        cut = ("-ss", str(PART_S * number), "-t", str(PART_S), "-i", plain)
        offset = ("-output_ts_offset", str(PART_S * number))
        pid = ("-streamid", "0:257") if (number, first) == (0, "a") else ()
        ffmpeg(*cut, *maps, "-c", "copy", *offset, *pid, part)
    source, heard = await taken(*parts)
    assert source.connections == 1
    in_sync_at_the_end(heard)
    seen = [time for time in heard.shown if time > heard.shown[-1] - 2]
    assert len(seen) >= 50, "nothing is lost once it has joined"


async def test_sound_that_moves_to_another_pid_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_source, "LOOK_AGAIN", TICK_RATE)
    plain = beeping(tmp_path / "plain.mkv", length=3 * PART_S)
    parts = [tmp_path / "one.ts", tmp_path / "two.ts", tmp_path / "three.ts"]
    for number, part in enumerate(parts):
        cut = ("-ss", str(PART_S * number), "-t", str(PART_S), "-i", plain)
        pid = ("-streamid", f"1:{300 + bool(number)}")
        offset = ("-output_ts_offset", str(PART_S * number))
        ffmpeg(*cut, "-c", "copy", *offset, *pid, part)
    source, heard = await taken(*parts)
    assert source.connections == 1
    assert len(heard.beeps) >= 4
    in_sync_at_the_end(heard)


def test_what_hls_gives_again_when_it_is_opened_anew_is_left_out(tmp_path: Path) -> None:
    plain = beeping(tmp_path / "plain.mkv", length=6)
    for number in range(3):
        cut = ("-ss", str(2 * number), "-t", "2", "-i", plain)
        maps = ("-map", "0:a", "-streamid", "0:257") if number == 0 else ("-map", "0")
        offset = ("-output_ts_offset", str(2 * number))
        ffmpeg(*cut, *maps, "-c", "copy", *offset, tmp_path / f"{number}.ts")
    (tmp_path / "live.m3u8").write_text(playlist("0.ts", "1.ts", "2.ts", seconds=2))
    with served(tmp_path) as here:
        heard = read(Pull(f"{here.url}/live.m3u8").open())
    assert heard.beeps == pytest.approx([0, 1, 2, 3, 4, 5], abs=0.1)
