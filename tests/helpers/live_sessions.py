"""A live session on scripted engines, and everything that its viewers get."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.demo_clip import Clip
from server.config import load
from server.sessions.live import LiveSession
from stream.clock.playout_clock import PlayoutClock
from stream.frames import AudioChunk, PicturePacket, Samples
from stream.live.connection import Connection, LiveBatch
from stream.live.feed import Event
from stream.live.source import LAYOUT, LiveSource, MediaConnection
from stream.media.live_input import LiveInput
from stream.timeline import TICK_RATE
from tests.helpers.scripted import (
    ScriptedPool,
)

DELAY = 4.0


@dataclass
class Seen:
    """What a viewer got."""

    sound: dict[str, list[AudioChunk]]
    pictures: list[PicturePacket] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    session: LiveSession | None = None
    lateness: list[float] = field(default_factory=list)

    def track(self, name: str) -> Samples:
        return np.concatenate([block.samples for block in self.sound[name]])

    def fates(self) -> list[str | None]:
        return [event.fate for event in self.events if event.kind == "fate"]


class Stalling:
    """A connection whose network stands still once, and then delivers what it kept."""

    def __init__(self, inner: Connection, at: float, length: float) -> None:
        self._inner, self._at, self._length = inner, at, length
        self.aclose = inner.aclose
        self.status = inner.status

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        kept: asyncio.Queue[LiveBatch | None] = asyncio.Queue()

        async def read() -> None:
            async for batch in self._inner.batches():
                kept.put_nowait(batch)
            kept.put_nowait(None)

        reading = asyncio.create_task(read())
        stalled = False
        try:
            while (batch := await kept.get()) is not None:
                yield batch
                if not stalled and batch and batch[-1].end / TICK_RATE > self._at:
                    stalled = True
                    await asyncio.sleep(self._length)
        finally:
            reading.cancel()


def from_file(clip: Clip) -> MediaConnection:
    return MediaConnection(LiveInput(clip.path, LAYOUT, live=False).open, paced=True)


async def watch(
    connections: list[Callable[[], Coroutine[Any, Any, Connection]]],
    *,
    pool: ScriptedPool | None = None,
    settings: tuple[str, ...] = (),
    targets: tuple[str, ...] = ("pt",),
    meanwhile: Callable[[LiveSession], Coroutine[Any, Any, None]] | None = None,
    delay: float = DELAY,
) -> Seen:
    """Run a session over connections one after another and note everything it shows."""
    config = load(assignments=(f"playout.delay={delay}", *settings), environment={})
    clock = PlayoutClock(delay)
    waiting = list(connections)

    async def connect() -> Connection | None:
        return await waiting.pop(0)() if waiting else None

    session = LiveSession(
        "test", config, targets, LiveSource(connect, clock), clock, pool or ScriptedPool()
    )
    seen = Seen({name: [] for name in session.feed.sounds}, session=session)
    loop = asyncio.get_running_loop()

    async def listen(name: str) -> None:
        async for block in session.feed.sounds[name].subscribe(100):
            seen.sound[name].append(block)
            seen.lateness.append(loop.time() - session.feed.due(block.start))

    async def see() -> None:
        async for packet in session.feed.picture.subscribe(500):
            seen.pictures.append(packet)

    async def note() -> None:
        async for event in session.feed.events.subscribe(100):
            seen.events.append(event)

    tasks = [asyncio.create_task(listen(name)) for name in session.feed.sounds]
    tasks += [asyncio.create_task(see()), asyncio.create_task(note())]
    if meanwhile is not None:
        tasks.append(asyncio.create_task(meanwhile(session)))
    await session.run()
    await asyncio.gather(*tasks)
    return seen


def at_once(connection: Connection) -> Callable[[], Coroutine[Any, Any, Connection]]:
    async def connect() -> Connection:
        return connection

    return connect


def joining(seconds: float, clip: Clip) -> Callable[[], Coroutine[Any, Any, Connection]]:
    async def connect() -> Connection:
        await asyncio.sleep(seconds)
        return from_file(clip)

    return connect
