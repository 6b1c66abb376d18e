"""A live source: its publisher may stall, leave and return; its timeline goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from stream.clock.playout_clock import PlayoutClock
from stream.errors import message
from stream.flow.worker import Worker
from stream.frames import AudioChunk, PicturePacket
from stream.live.connection import Connection, ConnectionStatus, LiveBatch
from stream.live.intake import Intake, PictureIntake
from stream.live.link import Link
from stream.media.bounds import OVERHEAD
from stream.media.live_input import LiveMedia
from stream.media.reading import batched
from stream.timeline import TICK_RATE

CHANNELS = 2
LAYOUT = "stereo"
"""Every live session has stereo sound, so that a publisher may change its layout at any time."""

SPAN = TICK_RATE // 25
"""Ticks of media handed on at a time, about."""

BURST_PAUSE_S = 0.02
"""Seconds without media that end what a new connection delivers at once."""

LONGEST_BURST = 5 * TICK_RATE

LATE_S = 0.5
"""Seconds by which paced media may be late once without being paced anew."""

HOPE = 2 * TICK_RATE
"""How long after the viewer has passed it sound may still come, before silence stands for it."""

ABSENCE_S = 1.0
"""Seconds of such silence given out at a time."""

LARGEST_BURST = 64 << 20
"""Bytes of it, so that a clock that stands still has an end."""

_T = TypeVar("_T")

log = logging.getLogger(__name__)

ABSENCES = 64
"""Absences of publishers that are remembered."""


class LiveSource:
    """Joins one connection after another to one timeline.

    A publisher that returns goes on at the media time that it is by then; the time between is
    silence without picture, and is given out as it passes, so that whatever follows the source
    stays near its end however long nothing comes. Timestamps that a new connection begins with
    mean nothing.

    Args:
        connect: waits for the next connection; ``None`` when there will be no more.
        clock: tells which media time it is.
        only: index of the one channel to be heard, on both sides; where a connection has chosen
            it already, its channels are equal.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection | None]],
        clock: PlayoutClock,
        *,
        only: int | None = None,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._only = only if only is not None and only < CHANNELS else None
        self._ended = asyncio.Event()
        self._sound_end = 0
        self._picture_end = -(1 << 62)
        self.connections = 0
        """Publishers so far."""
        self._connection: Connection | None = None
        self._concealed = 0  # on connections that are over
        self._intake = Intake()
        self._away = deque[tuple[int, int | None]](maxlen=ABSENCES)

    def absence(self, time: int) -> int:
        """Ticks for which nobody had been connected at a media time, 0 if somebody was."""
        for begun, over in self._away:
            if begun <= time and (over is None or time < over):
                return time - begun
        return 0

    @property
    def connected(self) -> bool:
        """Whether a publisher is here now."""
        return self._connection is not None

    @property
    def transport(self) -> str | None:
        """How media arrives now, ``None`` while nobody is connected."""
        return self._connection.status().transport if self._connection is not None else None

    @property
    def link(self) -> Link | None:
        """How the network of the connection does; ``None`` where nothing tells."""
        return self._connection.status().link if self._connection is not None else None

    @property
    def picture(self) -> PictureIntake | None:
        """What comes of the picture now; ``None`` if nothing does."""
        return self._intake.status(asyncio.get_running_loop().time())

    @property
    def concealed(self) -> int:
        """Ticks of sound synthesised for lost packets, on all connections so far."""
        now = self._connection.status().concealed if self._connection is not None else 0
        return self._concealed + now

    async def aclose(self) -> None:
        """End the source: what came so far is its whole."""
        self._ended.set()
        if self._connection is not None:
            await self._connection.aclose()

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """The media of all connections in order."""
        while True:
            async with self._wait(self._connect()) as connecting:
                async for silence in self._absence(connecting):
                    yield silence
                connection = await connecting.result()
            if connection is None:
                return
            self.connections += 1
            self._connection = connection
            try:
                async with contextlib.aclosing(self._stay(connection)) as media:
                    async for batch in media:
                        yield batch
            except Exception as error:
                log.warning("the source broke off: %s", message(error))
            finally:
                self._connection = None
                end = max(self._sound_end, self._picture_end)
                self._away.append((end, None))
                log.info("the source has gone after %.1f s", end / TICK_RATE)
                self._concealed += connection.status().concealed
                await connection.aclose()

    async def _stay(self, connection: Connection) -> AsyncGenerator[LiveBatch, None]:
        """The media of one connection, on the source's timeline."""
        async with contextlib.aclosing(connection.batches()) as media:
            head = await self._burst(media)
            shift = self._shift(head)
            if self._away:
                self._away[-1] = (self._away[-1][0], shift)
            for batch in head:
                if moved := self._moved(batch, shift):
                    yield moved
            while True:
                async with self._wait(anext(media, None)) as coming:
                    async for silence in self._absence(coming):
                        yield silence
                    batch_ = await coming.result()
                if batch_ is None:
                    return
                if moved := self._moved(batch_, shift):
                    yield moved

    async def _absence(self, awaited: _Awaited[Any]) -> AsyncGenerator[LiveBatch, None]:
        """Silence for what the viewer has passed meanwhile without any sound coming."""
        while not await awaited.within(ABSENCE_S):
            if silence := list(self._silence(self._passed())):
                yield silence

    def _passed(self) -> int:
        """Media time of which nobody will hear anything that still comes, ticks."""
        now = self._clock.arriving(asyncio.get_running_loop().time())
        return now - round(self._clock.behind * TICK_RATE) - HOPE

    def _silence(self, until: int) -> Iterator[AudioChunk]:
        """Silence from the end of the sound to ``until``, in pieces."""
        while self._sound_end < until:
            length = min(until - self._sound_end, TICK_RATE)
            yield AudioChunk(self._sound_end, np.zeros((length, CHANNELS), np.float32), absent=True)
            self._sound_end += length

    async def _burst(self, media: AsyncGenerator[LiveBatch, None]) -> list[LiveBatch]:
        """What a connection delivers at once when it begins; the end of it is now."""
        head: list[LiveBatch] = []
        if self.connections == 1:
            return head
        length = held = 0
        while length < LONGEST_BURST and held < LARGEST_BURST:
            began = asyncio.get_running_loop().time()
            async with self._wait(anext(media, None)) as coming:
                batch = await coming.result()
            if batch is None:
                break
            head.append(batch)
            length = max((item.end for item in batch), default=length)
            held += sum(item.size + OVERHEAD for item in batch)
            if len(head) > 1 and asyncio.get_running_loop().time() - began > BURST_PAUSE_S:
                break
        return head

    def _shift(self, head: list[LiveBatch]) -> int:
        """Ticks from a connection's timeline to the source's; ``head`` ends now."""
        if self.connections == 1:
            return 0
        end = max((item.end for batch in head for item in batch), default=0)
        now = self._clock.arriving(asyncio.get_running_loop().time())
        return max(now - end, self._sound_end, self._picture_end)

    def _moved(self, batch: LiveBatch, shift: int) -> LiveBatch:
        moved: list[AudioChunk | PicturePacket] = []
        for item in batch:
            if isinstance(item, PicturePacket):
                time = max(item.time + shift, self._picture_end)
                moved.append(replace(item, time=time, shown=item.shown + shift))
                self._picture_end = time + 1
                continue
            start = item.start + shift
            moved.extend(self._silence(start))
            samples = item.samples[self._sound_end - start :]
            if self._only is not None:
                samples = np.repeat(samples[:, self._only, None], CHANNELS, axis=1)
            if len(samples):
                moved.append(AudioChunk(self._sound_end, samples))
                self._sound_end += len(samples)
        moved.extend(self._silence(self._passed()))
        if self._intake.note(batch, asyncio.get_running_loop().time()):
            log.info("the picture of the source is %s", self._intake)
        return moved

    @contextlib.asynccontextmanager
    async def _wait(self, awaitable: Awaitable[_T | None]) -> AsyncIterator[_Awaited[_T]]:
        waiting = asyncio.ensure_future(awaitable)
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            yield _Awaited(waiting, ended)
        finally:
            for future in (waiting, ended):
                if not future.done():
                    future.cancel()
            await asyncio.gather(waiting, ended, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Awaited(Generic[_T]):
    """Something that is waited for, in one go or several, as long as the source goes on."""

    waiting: asyncio.Future[_T | None]
    ended: asyncio.Future[Any]

    async def within(self, seconds: float | None) -> bool:
        """Wait so long at most; whether it is there, or will never be."""
        both = {self.waiting, self.ended}
        done, _ = await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    async def result(self) -> _T | None:
        """What it gives, or ``None`` as soon as the source was ended."""
        await self.within(None)
        return self.waiting.result() if self.waiting.done() else None


class MediaConnection:
    """A connection made of whatever FFmpeg reads.

    Args:
        open_media: returns a source with ``layout=LAYOUT``; called in the thread that reads the
            source, and closes it afterwards.
        paced: hold a file, or segments that come as a whole, back to one media second a second.
            When something came too late, the rest comes as much later, and is late no more.
    """

    def __init__(self, open_media: Callable[[], LiveMedia], *, paced: bool = False) -> None:
        self._open_media = open_media
        self._media: LiveMedia | None = None
        self._paced = paced
        self._left = False

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """See ``Connection``."""
        loop = asyncio.get_running_loop()
        worker = Worker("source")
        media = worker.stream(self._read)
        zero: float | None = None
        try:
            async for batch in media:
                if self._left:
                    return
                if self._paced:
                    end = max(item.end for item in batch) / TICK_RATE
                    arrived = loop.time() - end
                    zero = arrived if zero is None or arrived - zero > LATE_S else zero
                    await asyncio.sleep(max(0.0, zero + end - loop.time()))
                yield batch
        finally:
            await self.aclose()  # a read under way would hold the thread
            if self._media is not None:
                self._media.leave()
            await media.aclose()
            await worker.aclose()

    async def aclose(self) -> None:
        """Read no further."""
        self._left = True

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        return ConnectionStatus("pull")

    def _read(self) -> Iterator[LiveBatch]:
        self._media = self._open_media()
        return batched(self._media, SPAN, close=True)
