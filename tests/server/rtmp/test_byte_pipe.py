import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from server.rtmp.byte_pipe import BytePipe
from stream.flow.worker import Worker
from stream.media.source import MediaSource, SourceError


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 2
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


class Reader:
    """Reads everything in a thread, never more than ``size`` at once."""

    def __init__(self, pipe: BytePipe, size: int = 1000) -> None:
        self.got = bytearray()
        self._pipe = pipe
        self._size = size
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while data := self._pipe.read(self._size):
            assert len(data) <= self._size
            self.got += data

    async def finished(self) -> bytes:
        await asyncio.to_thread(self._thread.join, 5)
        assert not self._thread.is_alive()
        return bytes(self.got)


def run(coroutine) -> None:  # type: ignore[no-untyped-def]
    async def limited() -> None:
        async with asyncio.timeout(10):
            await coroutine
        # Threads of to_thread would be taken for ones that the pipe left.
        await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(limited())


def test_a_thread_reads_all_that_a_task_writes_though_the_pipe_is_small() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=100)
        reader = Reader(pipe, size=7)
        sent = bytes(range(256)) * 40
        for start in range(0, len(sent), 33):
            await pipe.write(sent[start : start + 33])
            assert len(pipe) <= 100
        await pipe.end()
        assert await reader.finished() == sent

    run(check())


def test_a_full_pipe_holds_up_the_writer_until_there_is_room() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=10)
        await pipe.write(b"12345678")
        writing = asyncio.create_task(pipe.write(b"abcd"))
        await asyncio.sleep(0.05)
        assert not writing.done()
        assert pipe.read(1) == b"1"
        await asyncio.sleep(0.05)
        assert not writing.done()
        assert pipe.read(1) == b"2"
        await writing
        assert len(pipe) == 10

    run(check())


def test_a_write_beyond_the_limit_goes_alone() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=4)
        await pipe.write(b"12345678")
        writing = asyncio.create_task(pipe.write(b"x" * 9))
        await asyncio.sleep(0.02)
        assert not writing.done()
        assert pipe.read(8) == b"12345678"
        await writing
        assert pipe.read(100) == b"x" * 9

    run(check())


def test_a_cancelled_write_leaves_nothing_behind() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=4)
        await pipe.write(b"1234")
        writing = asyncio.create_task(pipe.write(b"lost"))
        await asyncio.sleep(0.02)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert pipe.read(10) == b"1234"
        await pipe.write(b"5678")
        await pipe.end()
        assert pipe.read(10) + pipe.read(10) == b"5678"

    run(check())


def test_closing_frees_a_reader_that_waits() -> None:
    async def check() -> None:
        pipe = BytePipe()
        reader = Reader(pipe)
        await asyncio.sleep(0.05)
        pipe.close()
        assert await reader.finished() == b""

    run(check())


def test_closing_frees_a_writer_that_waits() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=4)
        await pipe.write(b"1234")
        writing = asyncio.create_task(pipe.write(b"5"))
        await asyncio.sleep(0.02)
        await asyncio.to_thread(pipe.close)
        with pytest.raises(BrokenPipeError):
            await writing
        with pytest.raises(BrokenPipeError):
            await pipe.write(b"6")
        assert pipe.read(1) == b""
        assert len(pipe) == 0

    run(check())


def test_nothing_can_be_written_after_the_end() -> None:
    async def check() -> None:
        pipe = BytePipe()
        await pipe.end()
        await pipe.end()
        with pytest.raises(ValueError, match="ended"):
            await pipe.write(b"1")
        assert pipe.read(1) == b""

    run(check())


def test_two_tasks_cannot_wait_to_write() -> None:
    async def check() -> None:
        pipe = BytePipe(limit=1)
        await pipe.write(b"1")
        writing = asyncio.create_task(pipe.write(b"2"))
        await asyncio.sleep(0.02)
        with pytest.raises(ValueError, match="another task"):
            await pipe.write(b"3")
        pipe.read(1)
        await writing

    run(check())


def test_the_reader_may_go_on_after_the_loop_has_gone() -> None:
    pipe = BytePipe(limit=4)

    async def leave() -> None:
        await pipe.write(b"1234")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await pipe.write(b"5")

    asyncio.run(leave())
    assert pipe.read(10) == b"1234"
    pipe.close()
    assert pipe.read(10) == b""


def test_a_pipe_must_hold_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        BytePipe(limit=0)


@pytest.mark.parametrize("data", [b"", b"FLV\x01\x05", b"noise" * 1000])
def test_what_is_not_media_is_said_by_name(data: bytes) -> None:
    async def check() -> None:
        pipe = BytePipe()
        await pipe.write(data)
        await pipe.end()
        worker = Worker("source")
        with pytest.raises(SourceError, match="studio is not media"):
            await worker.run(lambda: MediaSource("studio", file=pipe, format="flv"))
        await worker.aclose()

    run(check())


def test_closing_frees_a_source_that_waits_for_media() -> None:
    async def check() -> None:
        pipe = BytePipe()
        worker = Worker("source")
        opening = asyncio.create_task(worker.run(lambda: MediaSource("studio", file=pipe)))
        await asyncio.sleep(0.1)
        assert not opening.done()
        pipe.close()
        with pytest.raises(SourceError, match="studio"):
            await opening
        await worker.aclose()

    run(check())
