"""MPEG-TS with the picture and every language, into a file and by SRT."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import numpy as np
import pytest

from server.outputs.push import Push
from server.outputs.recording import Recording
from server.outputs.tracks import every_track
from tests.helpers.feeds import file_feed
from tests.helpers.nginx_rtmp import free_port
from tests.helpers.srt_peer import needs_srt, receiving, until_there
from tests.helpers.streams import decoded_sound, ffmpeg, likeness, packets, probe, small_source
from tests.helpers.transport_packets import PCR_RATE, Transport, transport

H264, AAC = 0x1B, 0x0F

DUBS = ("pt", "es")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("source") / "source.mp4", length=14)


def check(found: Transport, *, least: int) -> None:
    """What a receiver of ISO/IEC 13818-1 relies on."""
    assert [stream.kind for stream in found.streams.values()] == [H264, AAC, AAC, AAC]
    languages = [stream.languages for stream in found.streams.values()]
    assert languages == [[], ["por"], ["spa"], ["eng"]]
    assert not found.breaks
    assert len(found.tables) >= least
    gaps = np.diff(found.clock) / PCR_RATE
    assert gaps.min() > 0 and gaps.max() <= 0.1
    for stream in found.streams.values():
        times = np.array(stream.times) / 90_000
        assert len(times) > 20 and np.all(np.diff(times) > 0)
        early = times - np.array(stream.arrivals) / PCR_RATE
        # Each is there before it is decoded, and not a second too early for any buffer.
        assert early.min() > 0 and early.max() < 1


async def test_a_recording(source: Path, tmp_path: Path) -> None:
    path, short = tmp_path / "all.ts", tmp_path / "short.mp4"
    ffmpeg("-i", source, "-t", "4", "-c", "copy", short)
    async with file_feed(short, tracks=DUBS) as feed:
        assert every_track(feed) == ("pt", "es", "original")
        await Recording(feed, path).run()
    check(transport(path.read_bytes()), least=20)
    shown = probe(path, "-show_streams")["streams"]
    assert [one["codec_name"] for one in shown] == ["h264", "aac", "aac", "aac"]
    # Copied, B-frames and all.
    assert len(packets(path, "v:0")) == len(packets(short, "v:0"))
    dub, other, original = (decoded_sound(path, f"a:{number}") for number in range(3))
    assert likeness(dub, other) > 0.99 and likeness(dub, original) < -0.95


@needs_srt
@pytest.mark.parametrize("listens", ["we", "they"])
async def test_by_srt(source: Path, tmp_path: Path, listens: str) -> None:
    port, out = free_port(socket.SOCK_DGRAM), tmp_path / "srt.ts"
    secret = "passphrase=a-good-long-passphrase&streamid=somebody"
    ours, theirs = (f"srt://127.0.0.1:{port}?{secret}", f"srt://127.0.0.1:{port}?{secret}")
    if listens == "we":
        ours += "&mode=listener"
    else:
        theirs += "&mode=listener"
    async with file_feed(source, tracks=DUBS, delay=1.5) as feed:
        push = Push(feed, every_track(feed), ours)
        running = asyncio.create_task(push.run())
        if listens == "we":
            async with asyncio.timeout(20):
                while not push.connected:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        with receiving(theirs, out):
            await until_there(out, 200_000)
            status = push.status()
            await push.aclose()
            await running
    assert status.state == "running" and status.failure is None
    assert status.target == f"srt://127.0.0.1:{port}"
    assert status.link is not None and status.link.dropped == 0
    assert status.link.rtt is not None and 0 < status.link.rtt < 0.5
    data = out.read_bytes()
    whole = data[: len(data) // 188 * 188]
    check(transport(whole), least=10)
    assert {s["codec_type"] for s in probe(out, "-show_streams")["streams"]} == {"video", "audio"}


@needs_srt
async def test_a_server_that_refuses_is_one_sentence_without_secrets(source: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    async with file_feed(source) as feed:
        asked = f"srt://127.0.0.1:{port}?passphrase=a-good-long-passphrase&streamid=hush"
        listening = Push(feed, ("pt",), f"{asked}&mode=listener")
        calling = Push(feed, ("pt",), asked.replace("hush", "other"))
        both = [asyncio.create_task(one.run()) for one in (listening, calling)]
        async with asyncio.timeout(20):
            while calling.status().failure is None or not listening.connected:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while "stream id" not in str(calling.status().failure):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await listening.aclose()
        await calling.aclose()
        await asyncio.gather(*both)
    said = str(calling.status())
    assert "the server refuses the stream id" in said
    assert "hush" not in said and "passphrase" not in said and "other" not in said
