"""An RTMP server whose publications are decoded, and publishers for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from server.problems import Problem
from server.rtmp.byte_pipe import BytePipe
from server.rtmp.connection import SOURCE_OPTIONS
from server.rtmp.ingest import Authorise, RtmpIngest, RtmpOptions
from stream.flow.worker import Worker
from stream.frames import AudioChunk, Samples
from stream.media.source import MediaSource, SourceError
from stream.timeline import TICK, rescale
from tests.helpers.rtmp_peer import HELLO, Chunker, introduction
from tests.helpers.threads import ours_since


def run(coroutine: Coroutine[Any, Any, None], limit: float = 20) -> None:
    """Run a test; it must leave no task and no thread of ours."""

    async def limited() -> None:
        async with asyncio.timeout(limit):
            await coroutine
        assert asyncio.all_tasks() == {asyncio.current_task()}

    before = set(threading.enumerate())
    asyncio.run(limited())
    assert not ours_since(before)


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

    async def divide(self) -> None:
        await self.pipe.divide()

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
        source = MediaSource(
            "the publisher", file=self.pipe, format="flv", options=SOURCE_OPTIONS, live=True
        )
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
        names = {stream.codec_context.name for stream in source.info.streams}
        self.codecs = sorted(names, reverse=True)
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

    async def authorise(self, app: str, key: str) -> Received:
        if app != "live" or not key.startswith("good"):
            raise Problem(404, "there is no such stream, or the key is wrong")
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


async def until(condition: Any, limit: float = 60) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
