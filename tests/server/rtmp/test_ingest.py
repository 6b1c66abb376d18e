"""Real publishers, from the socket to decoded sound; and hostile ones, as far as the socket."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ctypes.util
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from server.rtmp.byte_pipe import BytePipe
from server.rtmp.ingest import SOURCE_OPTIONS, Authorise, RtmpIngest, RtmpOptions
from stream.flow.worker import Worker
from stream.frames import AudioChunk, Samples
from stream.media.source import MediaSource, SourceError
from stream.timeline import TICK, TICK_RATE, rescale
from tests.helpers.rtmp_peer import AUDIO, HELLO, Chunker, Sent, control, introduction

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None or not NGINX_MODULE.exists(),
    reason="nginx with its RTMP module is not installed",
)
LIBRTMP = ctypes.util.find_library("rtmp")
needs_librtmp = pytest.mark.skipif(LIBRTMP is None, reason="librtmp is not installed")
LENGTH = 3


def run(coroutine: Coroutine[Any, Any, None], limit: float = 20) -> None:
    """Run a test; it must leave no task and no thread of ours."""

    async def limited() -> None:
        async with asyncio.timeout(limit):
            await coroutine
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(limited())
    assert not [t.name for t in threading.enumerate() if t.name.startswith("livedub")]


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


@dataclass
class Received:
    """A publication that is decoded as the daemon does it."""

    began: float
    pipe: BytePipe = field(default_factory=BytePipe)
    samples: list[Samples] = field(default_factory=list)
    first_sound: float = 0.0
    first_picture: int | None = None
    pictures: int = 0
    codecs: list[str] = field(default_factory=list)
    ended: int = 0

    async def write(self, flv: bytes) -> None:
        await self.pipe.write(flv)

    async def end(self) -> None:
        self.ended += 1
        await self.pipe.end()

    @property
    def sound(self) -> Samples:
        return np.concatenate([np.zeros((0, 1), np.float32), *self.samples])

    @property
    def onsets(self) -> list[float]:
        """When each beep begins, seconds of media."""
        loud = np.abs(self.sound[:, 0]) > 0.02
        block = loud[: len(loud) // 240 * 240].reshape(-1, 240).any(axis=1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], block.astype(int)])) == 1)
        return [float(edge) * 0.005 for edge in edges]

    def decode(self, now: Any) -> None:
        source = MediaSource("the publisher", file=self.pipe, format="flv", options=SOURCE_OPTIONS)
        self.codecs = [stream.codec_context.name for stream in source.info.streams]
        position = 0
        for item in source:
            if isinstance(item, AudioChunk):
                self.first_sound = self.first_sound or now()
                assert item.start == position
                position = item.end
                self.samples.append(item.samples)
            elif source.info.streams[item.stream].type == "video":
                shown = rescale(item.packet.pts, item.packet.time_base, TICK)
                if self.first_picture is None:
                    self.first_picture = shown
                self.pictures += 1
        source.close()


class Peers:
    """Publishers by hand."""

    def __init__(self, ingest: RtmpIngest) -> None:
        self._ingest = ingest
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._ingest.port)
        self._writers.append(writer)
        return reader, writer

    async def publish(
        self, key: str, chunker: Chunker
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect and say everything up to the last command."""
        reader, writer = await self.connect()
        writer.write(HELLO + chunker.bytes(*introduction("live", key)))
        await writer.drain()
        return reader, writer

    async def aclose(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(
    authorise: Authorise, options: RtmpOptions | None = None
) -> AsyncIterator[tuple[RtmpIngest, Peers]]:
    ingest = RtmpIngest("127.0.0.1", 0, authorise, options)
    await ingest.start()
    peers = Peers(ingest)
    try:
        yield ingest, peers
    finally:
        await peers.aclose()
        await ingest.aclose()


class Station:
    """An ingest whose publications are decoded, each in a thread of its own."""

    ingest: RtmpIngest
    peers: Peers

    def __init__(self) -> None:
        self.received: dict[str, list[Received]] = {}
        self.decoding: list[asyncio.Task[None]] = []

    async def authorise(self, app: str, key: str) -> Received | None:
        if app != "live" or not key.startswith("good"):
            return None
        received = Received(asyncio.get_running_loop().time())
        self.received.setdefault(key, []).append(received)
        self.decoding.append(asyncio.create_task(self._decode(received)))
        return received

    async def _decode(self, received: Received) -> None:
        worker = Worker("publisher")
        now = asyncio.get_running_loop().time
        try:
            await worker.run(lambda: received.decode(now))
        finally:
            received.pipe.close()
            await worker.aclose()

    async def decoded(self) -> None:
        await asyncio.gather(*self.decoding)

    def url(self, key: str) -> str:
        return f"rtmp://127.0.0.1:{self.ingest.port}/live/{key}"


@contextlib.asynccontextmanager
async def station(options: RtmpOptions | None = None) -> AsyncIterator[Station]:
    opened = Station()
    try:
        async with serving(opened.authorise, options) as (opened.ingest, opened.peers):
            yield opened
    finally:
        for pipe in (r.pipe for published in opened.received.values() for r in published):
            pipe.close()
        faults = await asyncio.gather(*opened.decoding, return_exceptions=True)
        assert all(fault is None or isinstance(fault, SourceError) for fault in faults)


async def publish(path: Path, url: str, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", "-re", *options, "-i", str(path), "-c", "copy", "-f", "flv", url,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def until(condition: Any, limit: float = 8) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


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


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What the server said until it hung up."""
    said = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := await reader.read(1 << 16):
            said += data
    return bytes(said)


def sound(time: int) -> Sent:
    return Sent(6, AUDIO, 1, time, b"\xaf\x01" + bytes(100))


def test_a_peer_that_shakes_hands_byte_by_byte_is_dropped() -> None:
    async def check() -> None:
        async with station(RtmpOptions(handshake=0.3)) as opened:
            reader, writer = await opened.peers.connect()
            gone = asyncio.create_task(closed(reader))
            sent = 0
            while not gone.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(HELLO[sent : sent + 1])
                    await writer.drain()
                sent += 1
                await asyncio.sleep(0.01)
            assert 5 < sent < 300
            assert opened.received == {}

    run(check())


def test_a_peer_that_never_publishes_is_dropped() -> None:
    async def check() -> None:
        async with station(RtmpOptions(publish=0.3)) as opened:
            reader, writer = await opened.peers.connect()
            writer.write(HELLO + Chunker().bytes(*introduction()[:2]))
            assert len(await closed(reader)) > 3073

    run(check())


def test_a_publisher_that_sends_no_media_is_dropped_though_it_pings() -> None:
    async def check() -> None:
        async with station(RtmpOptions(idle=0.3)) as opened:
            chunker = Chunker()
            reader, writer = await opened.peers.publish("good", chunker)
            gone = asyncio.create_task(closed(reader))
            while not gone.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(chunker.bytes(control(4, b"\x00\x06" + bytes(4))))
                await asyncio.sleep(0.02)
            await until(lambda: opened.received["good"][0].ended == 1)

    run(check())


def test_another_publisher_takes_over_from_one_that_fell_silent() -> None:
    async def check() -> None:
        async with station(RtmpOptions(silent=0.3)) as opened:
            chunker = Chunker()
            reader, writer = await opened.peers.publish("good", chunker)
            writer.write(chunker.bytes(sound(0)))
            await until(lambda: "good" in opened.received)
            await asyncio.sleep(0.4)
            others = [await opened.peers.publish("good", Chunker()) for _ in range(3)]
            await until(lambda: len(opened.received["good"]) == 2)
            first, second = opened.received["good"]
            assert (first.ended, second.ended) == (1, 0)
            assert opened.ingest.publishers == 1
            await closed(reader)
            refused = [asyncio.create_task(closed(r)) for r, _ in others]
            done, waiting = await asyncio.wait(refused, timeout=1.5)
            assert len(waiting) == 1
            assert all(b"being published already" in task.result() for task in done)
            await opened.peers.aclose()
            await asyncio.wait(waiting)

    run(check())


def test_who_comes_back_at_once_waits_for_its_own_end() -> None:
    class Slow:
        """Takes a while to end, as a session may."""

        ended = False

        async def write(self, flv: bytes) -> None:
            assert not self.ended

        async def end(self) -> None:
            await asyncio.sleep(0.3)
            self.ended = True

    async def check() -> None:
        let_in: list[Slow] = []

        async def authorise(app: str, key: str) -> Slow:
            assert all(publication.ended for publication in let_in)
            let_in.append(Slow())
            return let_in[-1]

        async with serving(authorise, RtmpOptions(silent=0.05)) as (ingest, peers):
            _, writer = await peers.publish("good", Chunker())
            await until(lambda: ingest.publishers == 1)
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.sleep(0.1)
            await peers.publish("good", Chunker())
            await until(lambda: len(let_in) == 2)
        assert all(publication.ended for publication in let_in)

    run(check())


def test_only_so_many_are_let_in() -> None:
    async def check() -> None:
        async with station(RtmpOptions(connections=2)) as opened:
            peers = [await opened.peers.connect() for _ in range(2)]
            await asyncio.sleep(0.05)
            reader, writer = await opened.peers.connect()
            assert await closed(reader) == b""
            peers[0][1].close()
            await asyncio.sleep(0.05)
            reader, _ = await opened.peers.publish("good", Chunker())
            assert len(await reader.readexactly(3073)) == 3073

    run(check())


def test_a_slow_reader_holds_up_the_publisher_and_no_memory_is_taken() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=100_000)

        async def authorise(app: str, key: str) -> BytePipe:
            return pipe

        async def send(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            for index in range(total):
                writer.write(chunker.bytes(Sent(6, 9, 1, index, bytes(50_000))))
                await writer.drain()
                sent += 1

        def drain() -> None:
            nonlocal got
            while data := pipe.read(1 << 16):
                got += len(data)

        chunker = Chunker()
        total, sent, got = 400, 0, 0
        worker = Worker("reader")
        async with serving(authorise) as (_, peers):
            reader, writer = await peers.publish("good", chunker)
            # Hanging up with acknowledgements unread would lose what is under way.
            reading_replies = asyncio.create_task(closed(reader))
            writer.write(chunker.bytes(control(1, (1 << 16).to_bytes(4, "big"))))
            chunker.size = 1 << 16
            sending = asyncio.create_task(send(writer))
            await asyncio.sleep(0.5)
            held = sent
            assert held < total
            assert len(pipe) <= 100_000 + (64 << 10)
            await asyncio.sleep(0.2)
            assert sent == held
            reading = asyncio.create_task(worker.run(drain))
            await sending
            writer.write_eof()
            await reading
            await reading_replies
            await worker.aclose()
        assert got == 13 + total * 50_015

    run(check())


@pytest.mark.parametrize("fault", [BrokenPipeError("not wanted"), RuntimeError("a bug")])
def test_a_publication_that_fails_is_ended_and_others_go_on(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        ended = 0

        async def write(self, flv: bytes) -> None:
            raise fault

        async def end(self) -> None:
            self.ended += 1

    async def check() -> None:
        publication = Failing()

        async def authorise(app: str, key: str) -> Failing:
            if key == "unlucky":
                raise fault
            return publication

        async with serving(authorise) as (ingest, peers):
            for number, key in enumerate(("good", "unlucky", "good")):
                reader, _ = await peers.publish(key, Chunker())
                await closed(reader)
                await until(lambda: ingest.publishers == 0)
                assert publication.ended == (1, 1, 2)[number]

    run(check())
    told = [record.levelname for record in caplog.records if record.name == "server.rtmp.ingest"]
    assert ("ERROR" in told) == isinstance(fault, RuntimeError)


def test_closing_the_server_ends_every_publication() -> None:
    async def check() -> None:
        async with station() as opened:
            reader, _ = await opened.peers.publish("good", Chunker())
            await opened.peers.publish("good2", Chunker())
            idle_reader, _ = await opened.peers.connect()
            await until(lambda: len(opened.received) == 2)
            await opened.ingest.aclose()
            await opened.ingest.aclose()
            assert opened.received["good"][0].ended == 1
            await closed(reader)
            await closed(idle_reader)
            with pytest.raises(OSError):
                await opened.peers.connect()

    run(check())


def test_what_is_not_rtmp_is_hung_up_on() -> None:
    async def check() -> None:
        async with station() as opened:
            reader, writer = await opened.peers.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert await closed(reader) == b""

    run(check())
