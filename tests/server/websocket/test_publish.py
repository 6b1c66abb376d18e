import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.problems import Problem
from server.websocket.encode import Encoder
from server.websocket.frames import (
    SUBPROTOCOL,
    Encoding,
    Frame,
    encode_frame,
)
from server.websocket.gate import Gate
from server.websocket.publish import publish_router
from server.websocket.source import WebSocketSource
from stream.frames import AudioChunk
from stream.live.connection import Connection
from stream.timeline import TICK_RATE
from tests.helpers.ws_server import serving

RNG = np.random.default_rng(4)
NOISE = np.rint(RNG.uniform(-0.4, 0.4, (TICK_RATE, 2)) * 32768).astype(np.float32) / 32768


class Session:
    """Takes one publisher's sound."""

    def __init__(self) -> None:
        self.chunks: list[AudioChunk] = []
        self.source: WebSocketSource | None = None
        self.done = asyncio.Event()
        self.pace = 0.0

    async def admit(self, session: str, connection: Connection) -> None:
        {"live": self}[session]
        if self.source is not None:
            raise Problem(409, "it has a publisher")
        assert isinstance(connection, WebSocketSource)
        self.source = connection
        self.taking = asyncio.create_task(self._take(connection))

    async def _take(self, source: WebSocketSource) -> None:
        async with contextlib.aclosing(source.batches()) as batches:
            async for batch in batches:
                self.chunks += [item for item in batch if isinstance(item, AudioChunk)]
                await asyncio.sleep(self.pace)
        self.done.set()
        await source.aclose()

    def sound(self) -> NDArray[np.float32]:
        """Everything taken, having checked that it is contiguous."""
        at = 0
        for chunk in self.chunks:
            assert chunk.start == at
            assert chunk.samples.dtype == np.float32
            at = chunk.end
        return np.concatenate([chunk.samples for chunk in self.chunks])


@contextlib.asynccontextmanager
async def publishing(query: str, **options: Any) -> AsyncIterator[tuple[ClientConnection, Session]]:
    session = Session()
    async with (
        serving(publish_router(session.admit, Gate())) as url,
        connect(
            f"{url}/sessions/live/publish?{query}",
            subprotocols=[SUBPROTOCOL],
            compression=None,
            **options,
        ) as client,
    ):
        assert json.loads(await client.recv())["type"] == "hello"
        yield client, session


async def finished(client: ClientConnection, session: Session) -> NDArray[np.float32]:
    """Say that this was all, and wait until it has been taken."""
    await client.send('{"type":"end"}')
    with contextlib.suppress(ConnectionClosed):
        async for _ in client:
            pass
    assert client.close_code == 1000
    assert session.done.is_set()
    return session.sound()


def s16(samples: NDArray[np.float32]) -> bytes:
    return (samples * 32768).astype("<i2").tobytes()


def frame(start: int, samples: NDArray[np.float32], time: int | None) -> bytes:
    piece = samples[start : start + 960]
    return encode_frame(Frame("pcm_s16le", time, len(piece), s16(piece)))


@pytest.mark.parametrize("format_", ["pcm_s16le", "pcm_f32le"])
@pytest.mark.parametrize("framing", ["frames", "raw"])
async def test_samples_arrive_unchanged(format_: str, framing: str) -> None:
    query = f"format={format_}&channels=2&framing={framing}"
    async with publishing(query) as (client, session):
        for at in range(0, TICK_RATE, 1000):
            piece = NOISE[at : at + 1000]
            payload = s16(piece) if format_ == "pcm_s16le" else piece.astype("<f4").tobytes()
            if framing == "frames":
                payload = encode_frame(Frame(format_, at + 5000, len(piece), payload))
            await client.send(payload)
        assert np.array_equal(await finished(client, session), NOISE)


async def test_gaps_are_silence_repeats_are_cut_and_missing_times_implied() -> None:
    async with publishing("channels=2") as (client, session):
        for at, time in (
            (0, 48_000),
            (960, None),
            (1920, 49_920),
            (1920, 49_920),  # repeated
            (2880, 50_880 + 4800),  # 100 ms are missing
            (3840, 51_840 + 4800),
            (2880, 50_880 + 4800),  # two sent again after a reconnection
            (3840, 51_840 + 4800),
            (4800, 5),  # the clock has gone back a second, but not 10 s: cut
            (4800, 52_800 + 4800),
        ):
            await client.send(frame(at, NOISE, time))
        sound = await finished(client, session)
        silence = np.zeros((4800, 2), np.float32)
        wanted = np.concatenate([NOISE[:2880], silence, NOISE[2880:5760]])
        assert np.array_equal(sound, wanted)
        assert session.source is not None and session.source.repaired >= 3


@pytest.mark.parametrize("jump", [100_000_000, -100_000_000])
async def test_a_restarted_clock_is_bridged(jump: int) -> None:
    async with publishing("channels=2") as (client, session):
        for at in range(0, 9600, 960):
            await client.send(frame(at, NOISE, at if at < 4800 else at + jump))
        assert np.array_equal(await finished(client, session), NOISE[:9600])


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 96_000])
async def test_odd_rates_keep_their_length_and_pitch(rate: int) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    async with publishing(f"rate={rate}&format=pcm_f32le&framing=raw") as (client, session):
        for at in range(0, rate, 441):
            await client.send(tone[at : at + 441].astype("<f4").tobytes())
        sound = (await finished(client, session))[:, 0]
    assert abs(len(sound) - TICK_RATE) <= 8
    inner = np.arange(2000, 46_000)
    assert np.abs(sound[inner] - 0.3 * np.sin(2 * np.pi * 440 * inner / TICK_RATE)).max() < 0.01


async def test_opus_and_a_packet_that_is_none() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(TICK_RATE) / TICK_RATE)
    encoder = Encoder(Encoding("opus", TICK_RATE, 1), 0)
    blocks = [
        AudioChunk(at, tone[at : at + 960, None].astype(np.float32))
        for at in range(0, TICK_RATE, 960)
    ]
    packets = encoder.encode(blocks) + encoder.flush()

    async with publishing("format=opus") as (client, session):
        for packet in packets[:-1]:
            await client.send(packet.message)
        await client.send(encode_frame(Frame("opus", None, 960, b"\xff")))
        sound = (await finished(client, session))[:, 0]
        assert len(sound) == len(packets) * 960
        heard = sound[312 + 4800 : 312 + 38_400]
        assert np.abs(heard - tone[4800:38_400]).max() < 0.05
        assert session.source is not None and session.source.corrupt == 1


async def test_what_is_not_a_number_becomes_a_click_at_most() -> None:
    async with publishing("format=pcm_f32le&framing=raw") as (client, session):
        await client.send(np.array([np.nan, np.inf, -np.inf, 1e30, 0.5], "<f4").tobytes())
        sound = await finished(client, session)
        assert sound[:, 0].tolist() == [0, 1, -1, 1, 0.5]


async def test_a_pipeline_that_takes_its_time_holds_the_publisher_back() -> None:
    query = "format=pcm_s16le&channels=2&framing=raw&ack=true"
    async with publishing(query, close_timeout=0.2) as (client, session):
        session.pace = 0.002
        piece = s16(NOISE[:16_000])
        sending = asyncio.create_task(_send(client, [piece] * 300))
        acknowledged = [json.loads(await client.recv()) for _ in range(20)]
        assert all(a["type"] == "ack" for a in acknowledged)
        assert not sending.done()
        assert session.source is not None
        positions = [a["position"] for a in acknowledged]
        assert positions == sorted(positions)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(client: ClientConnection, pieces: list[bytes]) -> None:
    for piece in pieces:
        await client.send(piece)


async def test_a_publisher_that_vanishes_ends_the_source_after_what_it_sent() -> None:
    async with publishing("channels=2") as (client, session):
        for at in range(0, 9600, 960):
            await client.send(frame(at, NOISE, at))
        client.transport.close()
        async with asyncio.timeout(5):
            await session.done.wait()
        assert np.array_equal(session.sound(), NOISE[:9600])


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", 4400),
        (b"\xd1", 4400),
        (bytes(100), 4400),
        ("hello", 4400),
        ('{"type":"track","track":"pt"}', 4400),
        (bytes(70_000), 1009),
    ],
)
async def test_nonsense_closes_the_connection_with_a_reason(sent: str | bytes, code: int) -> None:
    async with publishing("channels=2") as (client, session):
        with contextlib.suppress(ConnectionClosed):
            await client.send(sent)
            await client.recv()
        assert client.close_code == code
        assert client.close_reason
        # For the session it is a source that has ended, not one that is broken.
        async with asyncio.timeout(5):
            await session.done.wait()


async def test_a_second_publisher_and_an_unknown_session_are_refused() -> None:
    session = Session()
    async with serving(publish_router(session.admit, Gate())) as url:
        async with connect(f"{url}/sessions/live/publish") as first:
            await first.recv()
            for name, code in (("live", 4409), ("dead", 4404)):
                async with connect(f"{url}/sessions/{name}/publish") as second:
                    with contextlib.suppress(ConnectionClosed):
                        async for _ in second:
                            pass
                    assert second.close_code == code
            await first.send(frame(0, NOISE[:, :1], None))
        async with asyncio.timeout(5):
            await session.done.wait()
