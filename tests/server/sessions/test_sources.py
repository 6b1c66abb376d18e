"""Sources that a session fetches: real servers, which also go away."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from server.sessions.sources import Pull
from stream.clock.playout_clock import PlayoutClock
from stream.frames import AudioChunk, PicturePacket
from stream.live.source import LiveSource
from stream.timeline import TICK_RATE
from tests.helpers.nginx_rtmp import Nginx, free_port, needs_nginx

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@contextlib.contextmanager
def publishing(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-re", *arguments], stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Fetched:
    """What came of a URL, on the session's timeline."""

    def __init__(self, url: str) -> None:
        self.clock = PlayoutClock(1.0)
        self.source = LiveSource(Pull(url).connect, self.clock)
        self.sound: list[AudioChunk] = []
        self.pictures: list[PicturePacket] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        async with contextlib.aclosing(self.source.batches()) as media:
            async for batch in media:
                self.clock.observe(loop.time(), max(item.end for item in batch))
                for item in batch:
                    if isinstance(item, AudioChunk):
                        assert item.start == (self.sound[-1].end if self.sound else 0)
                        self.sound.append(item)
                    else:
                        self.pictures.append(item)

    async def until(self, seconds: float) -> None:
        while not self.sound or self.sound[-1].end < seconds * TICK_RATE:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _fetch(url: str, seconds: float) -> Fetched:
    fetched = Fetched(url)
    running = asyncio.create_task(fetched.run())
    async with asyncio.timeout(25):
        await fetched.until(seconds)
        await fetched.source.aclose()
        await running
    return fetched


def _coded(clip: Clip) -> list[str]:
    return ["-stream_loop", "-1", "-i", str(clip.path), "-c:v", "copy", "-c:a", "aac"]


@needs_nginx
async def test_rtmp_is_pulled_again_when_its_server_comes_back(clip: Clip, nginx: Nginx) -> None:
    async def run() -> Fetched:
        fetched = Fetched(nginx.url)
        with contextlib.ExitStack() as stack:
            nginx.start()
            stack.enter_context(publishing(*_coded(clip), "-f", "flv", nginx.url))
            running = asyncio.create_task(fetched.run())
            async with asyncio.timeout(40):
                await fetched.until(2)
                await asyncio.to_thread(nginx.kill)
                before = fetched.sound[-1].end
                await asyncio.sleep(1)
                await asyncio.to_thread(nginx.start)
                stack.enter_context(publishing(*_coded(clip), "-f", "flv", nginx.url))
                await fetched.until(before / TICK_RATE + 4)
                behind = fetched.clock.arriving(asyncio.get_running_loop().time())
                behind -= fetched.sound[-1].end
                assert abs(behind) < TICK_RATE, "it goes on at the time that it is by then"
                await fetched.source.aclose()
                await running
        return fetched

    fetched = await run()
    assert fetched.source.connections >= 2
    times = [picture.time for picture in fetched.pictures]
    assert all(a < b for a, b in zip(times, times[1:], strict=False))
    # What came while the new connection was looked into is not lost, so the gap is shorter.
    assert max(b - a for a, b in zip(times, times[1:], strict=False)) > TICK_RATE // 4


async def test_mpeg_ts_by_udp_is_received(clip: Clip) -> None:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with publishing(*_coded(clip), "-f", "mpegts", f"{url}?pkt_size=1316"):
        fetched = await _fetch(url, 3)
    assert len(fetched.pictures) > 40
    assert fetched.pictures[0].format.codec == "h264"


async def test_live_hls_is_followed_from_near_its_end(clip: Clip, tmp_path: Path) -> None:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.func.log_message = lambda *_: None  # type: ignore[attr-defined]
    threading.Thread(target=served.serve_forever, daemon=True).start()
    playlist = tmp_path / "live.m3u8"
    try:
        with publishing(
            *_coded(clip), "-f", "hls", "-hls_time", "1", "-hls_list_size", "6", str(playlist)
        ):

            async def run() -> Fetched:
                while not playlist.exists() or playlist.read_text().count("#EXTINF") < 5:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                return await _fetch(f"http://127.0.0.1:{served.server_port}/live.m3u8", 4)

            fetched = await run()
    finally:
        served.shutdown()
        served.server_close()
    assert len(fetched.pictures) > 60


async def test_what_is_not_there_is_tried_again_until_the_session_ends() -> None:
    fetched = Fetched("rtmp://127.0.0.1:9/live/nothing")
    running = asyncio.create_task(fetched.run())
    await asyncio.sleep(1.5)
    assert not running.done()
    await fetched.source.aclose()
    await asyncio.wait_for(running, 5)
    assert not fetched.sound
