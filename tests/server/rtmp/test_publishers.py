"""Real publishers, from the socket to decoded sound."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ctypes.util
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest

from stream.flow.worker import Worker
from stream.timeline import TICK_RATE
from tests.helpers.rtmp_station import (
    Received,
    publish,
    run,
    station,
    until,
)

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None or not NGINX_MODULE.exists(),
    reason="nginx with its RTMP module is not installed",
)

LIBRTMP = ctypes.util.find_library("rtmp")

needs_librtmp = pytest.mark.skipif(LIBRTMP is None, reason="librtmp is not installed")

LENGTH = 3


@pytest.fixture(scope="module")
def beeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of H.264 with B-frames and AAC, with a beep at every full second."""
    path = tmp_path_factory.mktemp("rtmp") / "beeps.mp4"
    sound = f"sine=1000:r=48000:d={LENGTH},volume='if(lt(mod(t,1),0.2),1,0)':eval=frame"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=s=160x90:r=25:d={LENGTH}",
         "-f", "lavfi", "-i", sound, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2",
         "-g", "25", "-c:a", "aac", path],
        check=True,
    )  # fmt: skip
    return path


def check_whole(received: Received) -> None:
    """All sound and every picture came, at their times."""
    assert received.codecs == ["h264", "aac"]
    assert received.ended == 1
    assert abs(len(received.sound) / TICK_RATE - LENGTH) < 0.06
    assert received.pictures == LENGTH * 25
    assert received.first_picture is not None
    zero = received.first_picture / TICK_RATE
    assert [onset - zero for onset in received.onsets] == pytest.approx([0, 1, 2], abs=0.02)


@needs_ffmpeg
def test_all_that_ffmpeg_publishes_arrives_at_its_time(beeps: Path) -> None:
    async def check() -> None:
        async with station() as opened:
            process = await publish(beeps, opened.url("good?token=1"))
            assert await process.wait() == 0
            await opened.decoded()
            (received,) = opened.received["good"]
            check_whole(received)
            # Probing must not wait for seconds of media.
            assert received.first_sound - received.began < 0.7

    run(check())


@needs_ffmpeg
def test_a_wrong_key_is_refused_and_ffmpeg_says_why(beeps: Path) -> None:
    async def check() -> None:
        async with station() as opened:
            process = await publish(beeps, opened.url("bad"))
            _, complaint = await process.communicate()
            assert process.returncode
            assert "There is no such stream" in complaint.decode()
            assert opened.received == {}

    run(check())


@needs_ffmpeg
def test_the_reader_sees_the_end_of_a_publisher_that_is_killed(beeps: Path) -> None:
    async def check() -> None:
        async with station() as opened:
            process = await publish(beeps, opened.url("good"), "-stream_loop", "-1")
            await until(lambda: opened.received and opened.received["good"][0].pictures > 20)
            process.kill()
            await process.wait()
            await opened.decoded()
            (received,) = opened.received["good"]
            assert received.ended == 1
            assert len(received.sound) > TICK_RATE // 2
            assert opened.ingest.publishers == 0

    run(check())


@needs_ffmpeg
def test_two_publish_at_once_and_come_back(beeps: Path) -> None:
    async def check() -> None:
        async with station() as opened:
            keys = "good1", "good2"
            for _ in range(2):
                processes = [await publish(beeps, opened.url(key)) for key in keys]
                assert [await process.wait() for process in processes] == [0, 0]
                await until(lambda: opened.ingest.publishers == 0)
            await opened.decoded()
            for key in keys:
                assert len(opened.received[key]) == 2
                for received in opened.received[key]:
                    check_whole(received)

    run(check())


@needs_ffmpeg
def test_a_key_in_use_is_refused_to_others(beeps: Path) -> None:
    async def check() -> None:
        async with station() as opened:
            first = await publish(beeps, opened.url("good"))
            await until(lambda: opened.received and opened.received["good"][0].pictures > 5)
            second = await publish(beeps, opened.url("good"))
            _, complaint = await second.communicate()
            assert second.returncode
            assert "being published already" in complaint.decode()
            assert await first.wait() == 0
            await opened.decoded()
            (received,) = opened.received["good"]
            check_whole(received)

    run(check())


@needs_ffmpeg
def test_sound_without_a_picture_is_found_soon(beeps: Path) -> None:
    async def check() -> None:
        async with station() as opened:
            process = await publish(beeps, opened.url("good"), "-vn")
            assert await process.wait() == 0
            await opened.decoded()
            (received,) = opened.received["good"]
            assert received.codecs == ["aac"]
            assert abs(len(received.sound) / TICK_RATE - LENGTH) < 0.06
            assert received.first_sound - received.began < 2

    run(check())


@needs_ffmpeg
@needs_nginx
def test_nginx_can_push_to_us(beeps: Path, tmp_path: Path) -> None:
    async def check() -> None:
        async with station() as opened:
            async with relay(opened.url("good"), tmp_path) as url:
                process = await publish(beeps, url)
                assert await process.wait() == 0
                await until(lambda: opened.ingest.publishers == 0)
            await opened.decoded()
            (received,) = opened.received["good"]
            # nginx connects when it is published to, and pictures begin at the next key.
            assert sorted(received.codecs) == ["aac", "h264"]
            assert received.pictures >= (LENGTH - 1) * 25
            assert len(received.sound) > (LENGTH - 1) * TICK_RATE
            assert received.first_picture is not None
            zero = received.first_picture / TICK_RATE
            assert [onset - zero for onset in received.onsets][-2:] == pytest.approx(
                [0, 1] if received.pictures == 50 else [1, 2], abs=0.02
            )

    run(check())


@contextlib.asynccontextmanager
async def relay(target: str, folder: Path) -> AsyncIterator[str]:
    """An nginx that passes on to ``target`` what is published to the URL given."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(
        f"load_module {NGINX_MODULE}; daemon off; master_process off;"
        f"pid {folder}/pid; error_log {folder}/error.log; events {{ worker_connections 32; }}"
        f"rtmp {{ server {{ listen 127.0.0.1:{port}; application in {{"
        f" live on; push {target}; }} }} }}"
    )
    process = await asyncio.create_subprocess_exec(
        "nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(config)
    )
    try:
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield f"rtmp://127.0.0.1:{port}/in/anything"
    finally:
        process.terminate()
        await process.wait()


SEND_HEVC = """
import sys
import av, numpy as np
with av.open(sys.argv[1], "w", format="flv") as out:
    picture = out.add_stream("libx265", 25, options={"preset": "ultrafast"})
    picture.width, picture.height, picture.pix_fmt = 160, 90, "yuv420p"
    sound = out.add_stream("aac", 48_000, layout="mono")
    for index in range(25):
        image = np.full((135, 160), index * 9, np.uint8)
        out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="yuv420p")))
        silence = np.zeros((1, 1920), np.float32)
        block = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        block.sample_rate = 48_000
        out.mux(sound.encode(block))
    out.mux(picture.encode(None))
    out.mux(sound.encode(None))
"""


@needs_ffmpeg
@needs_librtmp
def test_librtmp_can_publish(beeps: Path, tmp_path: Path) -> None:
    """OBS sends through a descendant of this library."""
    flv = tmp_path / "beeps.flv"
    subprocess.run(["ffmpeg", "-v", "error", "-i", beeps, "-c", "copy", flv], check=True)

    def send(url: str) -> None:
        library = ctypes.CDLL(LIBRTMP)
        library.RTMP_Alloc.restype = ctypes.c_void_p
        rtmp = ctypes.c_void_p(library.RTMP_Alloc())
        library.RTMP_Init(rtmp)
        address = ctypes.create_string_buffer(url.encode())
        assert library.RTMP_SetupURL(rtmp, address)
        library.RTMP_EnableWrite(rtmp)
        assert library.RTMP_Connect(rtmp, None)
        assert library.RTMP_ConnectStream(rtmp, 0)
        data = flv.read_bytes()
        assert library.RTMP_Write(rtmp, data, len(data)) > 0
        library.RTMP_Close(rtmp)
        library.RTMP_Free(rtmp)

    async def check() -> None:
        async with station() as opened:
            worker = Worker("encoder")
            await worker.run(lambda: send(opened.url("good")))
            await worker.aclose()
            await opened.decoded()
            (received,) = opened.received["good"]
            check_whole(received)

    run(check())


@needs_ffmpeg
def test_a_publisher_whose_clock_starts_again_is_heard_without_a_gap(beeps: Path) -> None:
    """FFmpeg's time has 31 bits, full after 25 days."""

    async def check() -> None:
        async with station() as opened:
            process = await asyncio.create_subprocess_exec(
                "ffmpeg", "-v", "error", "-re", "-i", str(beeps), "-c", "copy",
                "-output_ts_offset", "2147482", "-f", "flv", opened.url("good"),
            )  # fmt: skip
            assert await process.wait() == 0
            await opened.decoded()
            (received,) = opened.received["good"]
            check_whole(received)

    run(check())


@pytest.mark.skipif("libx265" not in av.codecs_available, reason="PyAV has no libx265 here")
def test_enhanced_rtmp_carries_hevc() -> None:
    """A newer FFmpeg, PyAV's own, names HEVC by its four letters."""

    async def check() -> None:
        async with station() as opened:
            # Its own process: PyAV connects without letting other threads run.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SEND_HEVC, opened.url("good")
            )
            assert await process.wait() == 0
            await opened.decoded()
            (received,) = opened.received["good"]
            assert received.codecs == ["hevc", "aac"]
            assert received.pictures == 25
            assert len(received.sound) >= TICK_RATE

    run(check())
