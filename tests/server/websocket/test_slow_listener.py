import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from server.websocket.rendition import LISTENER_FRAMES
from server.websocket.transport import LiveWebSocketProtocol
from stream.live.feed import Feed
from stream.timeline import FRAME
from tests.helpers.feeds import file_feed
from tests.helpers.ws_server import Heard, listening, serving, talk

QUERY = "format=pcm_f32le&track=pt"


@pytest.fixture(scope="module")
def long_talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    talk(path, seconds=16)
    return path


@contextlib.asynccontextmanager
async def on_air(path: Path, *, stuck: float) -> AsyncIterator[tuple[str, Programmes, Feed]]:
    async with file_feed(path, speed=4) as feed:
        programmes = Programmes({"live": feed}.__getitem__)
        try:
            async with serving(listen_router(programmes, Gate(), stuck=stuck)) as url:
                yield url, programmes, feed
        finally:
            await programmes.aclose()


@contextlib.asynccontextmanager
async def narrow(url: str) -> AsyncIterator[Heard]:
    """A listener whose system holds little of what it does not read."""
    host, port = url.removeprefix("ws://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    connection.connect((host, int(port)))
    connection.setblocking(False)
    async with listening(url, QUERY, sock=connection, max_queue=1, close_timeout=0.2) as heard:
        yield heard


async def test_a_slow_listener_loses_the_oldest_is_told_and_holds_up_nobody(
    long_talk: Path,
) -> None:
    async with (
        on_air(long_talk, stuck=30) as (url, programmes, _),
        listening(url, QUERY) as fast,
        narrow(url) as slow,
    ):
        following = asyncio.create_task(fast.all())
        await slow.frame()
        await asyncio.sleep(2.5)
        rendition = programmes.find("live").rendition("pt", slow.encoding)
        queues = rendition.frames._readers
        assert max(len(queue) for queue in queues) == LISTENER_FRAMES
        assert sum(queue.missed for queue in queues) > 0
        await slow.all()
        await following
        assert not fast.of("gap")
        assert [f.time for f in fast.frames] == list(
            range(fast.frames[0].time or 0, 16 * 48_000, FRAME)
        )
        gaps = slow.of("gap")
        assert gaps
        marked = [f.time for f in slow.frames[1:] if f.discontinuity]
        assert marked == [gap["end"] for gap in gaps]
        missing = sum(gap["end"] - gap["start"] for gap in gaps)
        heard = sum(f.samples for f in slow.frames)
        assert missing + heard == 16 * 48_000 - (slow.frames[0].time or 0)
        assert slow.client.close_code == 1000


async def test_a_listener_that_reads_nothing_is_cut(
    long_talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveWebSocketProtocol, "stuck", 0.5)

    async def run() -> float:
        async with on_air(long_talk, stuck=0.5) as (url, programmes, _), narrow(url) as dead:
            await dead.frame()
            rendition = programmes.find("live").rendition("pt", dead.encoding)
            async with asyncio.timeout(6):
                while rendition.frames.readers:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            return time.monotonic()

    stopped = await run()
    # Shutting down does not wait for whoever does not read.
    assert time.monotonic() - stopped < 3
