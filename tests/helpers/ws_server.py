"""A real server and real sound for tests of the WebSocket protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import uvicorn
from fastapi import APIRouter, FastAPI
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

from server.websocket.frames import SUBPROTOCOL, Encoding, Frame, decode_frame
from server.websocket.transport import LiveWebSocketProtocol
from stream.timeline import TICK_RATE


@contextlib.asynccontextmanager
async def serving(*routers: APIRouter, port: int = 0) -> AsyncIterator[str]:
    """Serve the routers; yields ``ws://127.0.0.1:port``."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    config = uvicorn.Config(
        app,
        ws=LiveWebSocketProtocol,
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,
        log_config=None,  # tests look at what is logged
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    try:
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


def talk(path: Path, seconds: float = 2.0, channels: int = 2) -> NDArray[np.float32]:
    """Write a WAV whose every sample tells where it is, and return its samples."""
    count = round(seconds * TICK_RATE)
    time = np.arange(count) / TICK_RATE
    sweep = 0.4 * np.sin(2 * np.pi * (200 * time + 300 * time**2))
    pcm = np.stack([sweep, 0.5 * np.roll(sweep, 1000)][:channels], axis=1)
    whole = np.rint(pcm * 32768).astype(np.int16)
    layout = "mono" if channels == 1 else "stereo"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=TICK_RATE, layout=layout)
        for at in range(0, count, 4800):
            frame = av.AudioFrame.from_ndarray(
                whole[at : at + 4800].reshape(1, -1), format="s16", layout=layout
            )
            frame.sample_rate = TICK_RATE
            frame.pts = at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return whole.astype(np.float32) / 32768


class Heard:
    """What one listener received.

    Attributes:
        hello: the first message.
        messages: all other JSON messages.
        frames: in the order of arrival.
    """

    def __init__(self, client: ClientConnection, hello: dict[str, Any]) -> None:
        self.client = client
        self.hello = hello
        self.messages: list[dict[str, Any]] = []
        self.frames: list[Frame] = []
        # Whoever wants events alone gets no frames, and nothing is said of them.
        self.encoding = Encoding(hello["format"], hello.get("rate", 0), hello.get("channels", 0))

    async def next(self) -> Frame | dict[str, Any]:
        received = await self.client.recv()
        if isinstance(received, str):
            self.messages.append(json.loads(received))
            return self.messages[-1]
        self.frames.append(decode_frame(received, self.encoding))
        return self.frames[-1]

    async def frame(self) -> Frame:
        """The next frame, whatever comes before it."""
        while not isinstance(got := await self.next(), Frame):
            pass
        return got

    async def all(self) -> Heard:
        """Receive until the connection closes."""
        with contextlib.suppress(Exception):
            while True:
                await self.next()
        return self

    def pcm(self) -> NDArray[np.float32]:
        """All samples in one array, as ``float32``."""
        kind, full = ("<i2", 32768) if self.encoding.format == "pcm_s16le" else ("<f4", 1)
        joined = np.frombuffer(b"".join(f.payload for f in self.frames), kind)
        return joined.reshape(-1, self.encoding.channels).astype(np.float32) / full

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == type_]


@contextlib.asynccontextmanager
async def listening(url: str, query: str = "", **options: Any) -> AsyncIterator[Heard]:
    address = f"{url}/sessions/live/listen?{query}"
    async with connect(address, subprotocols=[SUBPROTOCOL], compression=None, **options) as client:
        yield Heard(client, json.loads(await client.recv()))


class Line:
    """A connection to a server that can be cut, as when a cable is pulled."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rpartition(":")[2])
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.url = ""

    async def open(self) -> None:
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", port)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()
