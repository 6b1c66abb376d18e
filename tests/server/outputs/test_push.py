import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import server.outputs.push
import server.outputs.push_link
from server.outputs.push import Push
from stream.live.output import OutputStatus
from stream.timeline import TICK_RATE
from tests.helpers.bare_feed import bare_feed, play
from tests.helpers.feeds import file_feed
from tests.helpers.nginx_rtmp import Nginx, free_port, needs_nginx
from tests.helpers.streams import (
    decoded_sound,
    ffmpeg,
    likeness,
    packets,
    pictures_of,
    probe,
    small_source,
)

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("source") / "source.mp4", length=16)


def pull(url: str, out: Path, length: float) -> None:
    ffmpeg("-i", url, "-t", str(length), "-c", "copy", out)


def offset_of_picture(source: Path, pulled: Path) -> float:
    """Seconds from a picture in the source to the same one in what was pulled."""

    def shown(path: Path) -> dict[str, float]:
        out = ffmpeg("-copyts", "-i", path, "-map", "0:v", "-fps_mode", "passthrough",
                     "-enc_time_base", "1:1000", "-f", "framemd5", "-").stdout.decode()  # fmt: skip
        rows = [row.split(",") for row in out.splitlines() if not row.startswith("#")]
        return {row[5].strip(): int(row[2]) / 1000 for row in rows}

    one, other = shown(source), shown(pulled)
    offsets = [time_ - one[picture] for picture, time_ in other.items() if picture in one]
    assert len(offsets) > 20
    assert max(offsets) - min(offsets) < 0.003
    return float(np.median(offsets))


def sound_at(path: Path) -> tuple[float, np.ndarray]:
    start = float(packets(path, "a:0")[0]["pts_time"])
    return start, decoded_sound(path)


def check_in_sync(source: Path, pulled: Path) -> None:
    """The pulled sound is the source's, upside down, at the offset that the picture has."""
    offset = offset_of_picture(source, pulled)
    start, sound = sound_at(pulled)
    whole = decoded_sound(source)
    at = round((start - offset) * TICK_RATE)
    # FLV counts milliseconds, so the place is known to one of them.
    likely = [
        likeness(whole[at + shift + 4096 : at + shift + 20_000], sound[4096:20_000])
        for shift in range(-96, 97, 2)
    ]
    assert min(likely) < -0.95


@needs_nginx
async def test_a_push_survives_its_server(
    source: Path, tmp_path: Path, nginx: Nginx, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with file_feed(source) as feed:
            nginx.start()
            push = Push(feed, ("pt",), nginx.url)
            running = asyncio.create_task(push.run())
            await asyncio.to_thread(pull, nginx.url, tmp_path / "one.mkv", 2.0)
            assert push.connected
            target = f"rtmp://127.0.0.1:{nginx.port}"
            assert push.status() == OutputStatus("push", target, "running")
            await asyncio.to_thread(nginx.kill)
            async with asyncio.timeout(10):
                while push.status().state == "running":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            broken = push.status()
            assert broken.state == "retrying" and "broke off" in str(broken.failure)
            async with asyncio.timeout(10):
                while (away := push.status().missed) < TICK_RATE:
                    # Attempts that are refused do not look like a connection.
                    assert push.status().failure is not None and not push.connected
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(nginx.start)
            await asyncio.to_thread(pull, nginx.url, tmp_path / "two.mkv", 2.0)
            assert push.connected
            back = push.status()
            assert (back.state, back.failure, back.reconnects) == ("running", None, 1)
            assert away <= back.missed and back.missed_pictures == 0
            await asyncio.wait_for(push.aclose(), 8)
            await running
            assert feed.picture.readers == feed.tracks["pt"].readers == 0
            assert push.status() == replace(back, state="ended")

    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.INFO):
        patch.setattr(server.outputs.push, "FIRST_PAUSE_S", 0.4)
        await run()
    said = [one.getMessage() for one in caplog.records if "the push to" in one.getMessage()]
    where = f"the push to rtmp://127.0.0.1:{nginx.port}"
    assert said[0] == f"{where} is connected" and said[1].startswith(f"{where} broke off: ")
    assert said[-2].startswith(f"{where} is connected again after ")
    assert said[-1] == f"{where} has ended"
    for name in ("one.mkv", "two.mkv"):
        streams = probe(tmp_path / name, "-show_streams")["streams"]
        assert sorted(one["codec_name"] for one in streams) == ["aac", "h264"]
        assert "K" in packets(tmp_path / name, "v:0")[0]["flags"]
        check_in_sync(source, tmp_path / name)


async def test_a_refused_push_is_one_clear_line_without_the_secret(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with file_feed(source) as feed:
            push = Push(feed, ("pt",), f"rtmp://127.0.0.1:{free_port()}/live/secret-key")
            running = asyncio.create_task(push.run())
            async with asyncio.timeout(14):
                while push.status().missed < 3 * TICK_RATE:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert not push.connected and push.status().state == "retrying"
            assert push.status().reconnects == 0
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    await asyncio.wait_for(run(), 15)
    # Every attempt fails alike: that is said once.
    (line,) = (record for record in caplog.records if record.name.startswith("server."))
    assert "broke off: Connection refused; trying again in 1 s" in line.getMessage()
    assert "secret" not in caplog.text


@needs_nginx
async def test_a_server_that_takes_nothing_holds_nobody_up(
    source: Path, nginx: Nginx, caplog: pytest.LogCaptureFixture
) -> None:
    """A server stopped in mid-stream: the feed keeps its pace, and the push can be ended."""

    # Filler units make each picture so large that the buffers on the way are soon full.
    filler = (300_000).to_bytes(4, "big") + b"\x0c" + bytes([255]) * 299_999
    large = [replace(one, data=one.data + filler) for one in pictures_of(source)]

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with bare_feed() as feed:
            nginx.start()
            push = Push(feed, ("pt",), nginx.url)
            running = asyncio.create_task(push.run())
            await play(feed, large[:50], 0, 2, pace=2)
            os.kill(nginx.pid, signal.SIGSTOP)
            began = loop.time()
            await play(feed, large[50:], 2, 10, pace=2)
            assert loop.time() - began < 7
            assert push.status().state == "retrying" and not push.connected
            assert push.status().missed > 0
            began = loop.time()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            assert loop.time() - began < 1.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server.outputs.push_link, "STALLED_S", 1.0)
        await asyncio.wait_for(run(), 20)
    assert "the server took nothing for 1 s" in caplog.text


async def test_mpeg_ts_over_udp(source: Path, tmp_path: Path) -> None:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"

    async def run() -> None:
        async with file_feed(source) as feed:
            push = Push(feed, ("pt",), url)
            running = asyncio.create_task(push.run())
            await asyncio.to_thread(pull, url, tmp_path / "udp.mkv", 3.0)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    await run()
    check_in_sync(source, tmp_path / "udp.mkv")


async def test_sound_without_picture(tmp_path: Path) -> None:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"

    async def run() -> None:
        async with bare_feed() as feed:
            push = Push(feed, ("pt",), url)
            running = asyncio.create_task(push.run())
            playing = asyncio.create_task(play(feed, [], 0, 60, pace=4))
            await asyncio.to_thread(pull, url, tmp_path / "udp.mkv", 3.0)
            playing.cancel()
            await push.aclose()
            await running

    await run()
    (stream,) = probe(tmp_path / "udp.mkv", "-show_streams")["streams"]
    assert stream["codec_name"] == "aac"


@pytest.mark.parametrize("url", ["http://x/y", "rtmp://", "file:///etc/passwd", "x"])
async def test_other_places_are_refused(url: str) -> None:
    async with bare_feed() as feed:
        with pytest.raises(ValueError, match="a push goes to rtmp://"):
            Push(feed, ("pt",), url)
