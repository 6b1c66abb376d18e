"""Whatever is sent, a connection is closed cleanly and the server's log stays empty."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from server.websocket.frames import Frame, encode_frame
from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from server.websocket.publish import publish_router
from stream.frames import AudioChunk
from stream.live.connection import Connection
from tests.helpers.feeds import file_feed
from tests.helpers.ws_server import serving, talk

ENCODINGS = ("", "format=pcm_f32le&channels=2&rate=44100", "format=opus&channels=2", "framing=raw")
EXPECTED = {1000, 1003, 1007, 1009, 4400, 4404}

commands = st.sampled_from(
    [
        '{"type":"track","track":"original"}',
        '{"type":"track","track":"xx\\ud800"}',
        '{"type":"end"}',
    ]
)
frames = st.builds(
    lambda format_, time, size, flag: encode_frame(
        Frame(format_, time, size, bytes(range(size)) * 2, 0, flag)
    ),
    st.sampled_from(["pcm_s16le", "pcm_f32le", "opus"]),
    st.none() | st.integers(-(2**53), 2**53),
    st.integers(1, 200),
    st.booleans(),
)
messages = st.lists(
    st.one_of(
        frames,
        st.binary(max_size=40),
        st.binary(max_size=30).map(lambda tail: b"\xd1\x01\x00\x00" + tail),
        st.text('ab{}[]":,1\x00é', max_size=30),
        commands,
    ),
    min_size=1,
    max_size=6,
)
addresses = st.tuples(
    st.sampled_from(["live", "dead", "%00", "a" * 300]),
    st.sampled_from(["listen", "publish"]),
    st.sampled_from([*ENCODINGS, "format=mp3", "from=99999999999", "channels=%F0", "&&=&rate="]),
)


_taking: set[asyncio.Task[None]] = set()


async def _admit(session: str, connection: Connection) -> None:
    if session != "live":
        raise KeyError(session)
    task = asyncio.create_task(_take(connection))
    _taking.add(task)
    task.add_done_callback(_taking.discard)


async def _take(connection: Connection) -> None:
    async with contextlib.aclosing(connection.batches()) as batches:
        at = 0
        async for batch in batches:
            for chunk in batch:
                assert isinstance(chunk, AudioChunk) and chunk.start == at
                at = chunk.end
    await connection.aclose()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    talk(path, seconds=60, channels=1)
    started, urls = threading.Event(), list[str]()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        async with file_feed(path) as feed:
            programmes = Programmes({"live": feed}.__getitem__)
            routers = listen_router(programmes, Gate()), publish_router(_admit, Gate())
            async with serving(*routers) as address:
                urls.append(address)
                stop.append((asyncio.get_running_loop(), asyncio.Event()))
                started.set()
                await stop[0][1].wait()
            await programmes.aclose()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(10)
    yield urls[0]
    loop, stopping = stop[0]
    loop.call_soon_threadsafe(stopping.set)
    thread.join(20)
    assert not thread.is_alive()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(address=addresses, sent=messages)
def test_nothing_that_is_sent_upsets_the_server(
    url: str,
    caplog: pytest.LogCaptureFixture,
    address: tuple[str, str, str],
    sent: list[str | bytes],
) -> None:
    caplog.set_level(logging.WARNING)
    session, purpose, query = address
    with connect(
        f"{url}/sessions/{session}/{purpose}?{query}", compression=None, close_timeout=5
    ) as client:
        with contextlib.suppress(ConnectionClosed):
            for message in sent:
                client.send(message)
            client.close()
        code = client.close_code
    assert code in EXPECTED
    assert not caplog.records, caplog.text


def test_a_handshake_that_is_none_is_refused(url: str) -> None:
    with pytest.raises((InvalidStatus, InvalidMessage)):
        connect(f"{url}/sessions/live/nothing")
