"""Playout: the delayed picture and bed, with each dub laid back on its own media time."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from stream.frames import AudioChunk, CopiedPacket, Samples
from stream.jitter import JitterBuffer, Played
from stream.limiter import Limiter
from stream.mix import Ducker, MixOptions, add_dub
from stream.pacing import Pacing
from stream.timeline import END_OF_TIME, FRAME, TICK, TICK_RATE, Interval, rescale, ticks

LONGEST_LEAD = ticks(0.05)
"""A dub may begin this long before its slot, with sound too quiet to be noticed."""

BATCH = 10 * FRAME
"""Ticks handed to the sink at a time."""


@dataclass(slots=True)
class Block:
    """A stretch of finished output.

    Attributes:
        start: media time of the first sample, ticks.
        audio: the mix, shape ``(n, channels)``.
        dub: the dub alone before mixing, shape ``(n,)``.
        packets: those due in this stretch.
    """

    start: int
    audio: Samples
    dub: Samples
    packets: list[CopiedPacket] = field(default_factory=list)


class Playout:
    """The delay line, the jitter buffer and the mix on one playout position.

    Args:
        channels: of the source's audio.
        centre: index of its centre channel, if it has one.
        options: levels.
        pacing: when a frame is due.
        on_played: called when a dub has been heard to its end.
        capacity: ticks of source that may wait ahead of the playout position.
    """

    def __init__(
        self,
        channels: int,
        centre: int | None,
        options: MixOptions,
        pacing: Pacing,
        on_played: Callable[[Played], None],
        capacity: int,
    ) -> None:
        self._centre = centre
        self._channels = channels
        # Ducking is done when the dub begins, and a dub may begin a little before its slot.
        self._lead = ticks(options.attack) + LONGEST_LEAD
        self._pacing = pacing
        self._capacity = capacity
        self._dubs = JitterBuffer(on_played)
        self._ducker = Ducker(options)
        self._limiter = Limiter(channels, ceiling_db=options.ceiling)
        self._priming = self._limiter.latency
        self._chunks: deque[AudioChunk] = deque()
        self._packets: deque[CopiedPacket] = deque()
        self._audio_end = 0
        self._media_end = 0
        self._ended = False
        self._stop = asyncio.Event()
        self._settled = 0
        self._open: dict[int, int] = {}
        self._onsets: deque[int] = deque()
        self._changed = asyncio.Condition()

    @property
    def position(self) -> int:
        """Media time that the viewer has seen, ticks."""
        return self._dubs.position

    @property
    def media_end(self) -> int:
        """Media time at which the source ends, as far as it was read."""
        return self._media_end

    async def feed(self, items: list[AudioChunk | CopiedPacket]) -> None:
        """Put source media into the delay line; waits while it is full."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._stop.is_set() or self._audio_end - self.position < self._capacity
            )
            for item in items:
                if isinstance(item, AudioChunk):
                    self._chunks.append(item)
                    self._audio_end = item.end
                    end = item.end
                else:
                    self._packets.append(item)
                    packet = item.packet
                    end = item.time + rescale(packet.duration or 0, packet.time_base, TICK)
                self._media_end = max(self._media_end, end)
            self._changed.notify_all()

    async def end_source(self) -> None:
        """No more media will come."""
        async with self._changed:
            self._ended = True
            self._settled = END_OF_TIME
            self._changed.notify_all()

    async def settle(self, time: int) -> None:
        """No utterance that was not announced starts before ``time``."""
        async with self._changed:
            self._settled = max(self._settled, time)
            self._changed.notify_all()

    async def announce(self, id_: int, slot: Interval) -> None:
        """An utterance was heard: its slot is played once its dub is known or given up."""
        async with self._changed:
            self._open[id_] = slot.start
            self._onsets.append(slot.start)
            while self._onsets[0] < self.position - self._capacity:
                self._onsets.popleft()
            self._changed.notify_all()

    async def give_up(self, id_: int, slot: Interval) -> None:
        """There will be no dub: the original is heard."""
        async with self._changed:
            self._open.pop(id_, None)
            self._ducker.fell_back(slot, self.position)
            self._changed.notify_all()

    async def schedule(self, id_: int, slot: Interval, interval: Interval) -> None:
        """A dub will be heard over ``interval``; the bed gives way to it and to its slot."""
        async with self._changed:
            self._open.pop(id_, None)
            self._dubs.add(id_, interval.start)
            covered = Interval(
                min(interval.start, slot.start),
                max(interval.end, min(slot.end, interval.end + TICK_RATE)),
            )
            self._ducker.dubbed(covered, self.position)
            self._changed.notify_all()

    async def append(self, id_: int, samples: Samples) -> None:
        """The next piece of a scheduled dub, mono at 48 kHz, shape ``(n,)``."""
        async with self._changed:
            self._dubs.append(id_, samples)
            self._changed.notify_all()

    async def finish(self, id_: int) -> None:
        """The dub is complete."""
        async with self._changed:
            self._dubs.finish(id_)
            self._changed.notify_all()

    def free_until(self, slot: Interval) -> int:
        """Media time up to which no speech follows the slot, as far as is known."""
        following = [onset for onset in self._onsets if onset > slot.start]
        known = min(following, default=self._settled)
        return self._media_end + TICK_RATE if known == END_OF_TIME else known

    async def horizon(self, slot: Interval, until: int) -> int:
        """``free_until``, once it is certain up to ``until``."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: (
                    self._stop.is_set()
                    or self._settled >= until
                    or any(onset > slot.start for onset in self._onsets)
                )
            )
            return self.free_until(slot)

    async def stop(self) -> None:
        """Play what is ready and end there."""
        async with self._changed:
            self._stop.set()
            self._changed.notify_all()

    async def run(self, emit: Callable[[Block], Awaitable[None]]) -> None:
        """Play the source out block by block, until it ends or is stopped."""
        block: list[tuple[Samples, Samples]] = []
        start = self.position
        while length := await self._next_frame():
            block.append(self._mix(length))
            if self.position - start >= BATCH:
                await self._emit(emit, start, block)
                block, start = [], self.position
        block.append((self._limiter.flush(), np.zeros(0, np.float32)))
        await self._emit(emit, start, block, last=True)

    async def _next_frame(self) -> int:
        """Wait until the next frame may be played; its length, 0 at the end."""
        until = self.position + FRAME
        async with self._changed:
            await self._changed.wait_for(lambda: self._ready(until) or self._stop.is_set())
            if not self._ready(until):
                return 0
        await self._until_due()
        if self.position < self._audio_end:
            return min(FRAME, self._audio_end - self.position)
        # The source's audio is over, but a dub may end on the picture that still runs.
        return min(FRAME, self._media_end - self.position) if self._dubs.waiting else 0

    async def _until_due(self) -> None:
        left = self._pacing.time_left(self.position)
        if math.isfinite(left) and left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._stop.wait()

    def _mix(self, length: int) -> tuple[Samples, Samples]:
        start = self.position
        bed = self._take(length) * self._ducker.gain(start, length)
        dub = self._dubs.pull(length)
        audible = add_dub(bed, dub, self._centre) if dub.any() else bed
        out = self._limiter.process(audible)
        priming = min(self._priming, length)
        self._priming -= priming
        return out[priming:], dub

    def _take(self, length: int) -> Samples:
        """The next ``length`` ticks of the bed, shape ``(length, channels)``."""
        parts: list[Samples] = []
        missing = length
        while missing and self._chunks:
            chunk = self._chunks.popleft()
            if len(chunk.samples) > missing:
                self._chunks.appendleft(AudioChunk(chunk.start + missing, chunk.samples[missing:]))
            parts.append(chunk.samples[:missing])
            missing -= len(parts[-1])
        if missing:
            parts.append(np.zeros((missing, self._channels), np.float32))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    async def _emit(
        self,
        emit: Callable[[Block], Awaitable[None]],
        start: int,
        frames: list[tuple[Samples, Samples]],
        *,
        last: bool = False,
    ) -> None:
        until = END_OF_TIME if last and not self._stop.is_set() else self.position
        packets: list[CopiedPacket] = []
        while self._packets and self._packets[0].time < until:
            packets.append(self._packets.popleft())
        audio = np.concatenate([frame[0] for frame in frames])
        dub = np.concatenate([frame[1] for frame in frames])
        await emit(Block(start, audio, dub, packets))
        async with self._changed:
            self._changed.notify_all()
        await asyncio.sleep(0)

    def _ready(self, until: int) -> bool:
        if self._audio_end < until and not self._ended:
            return False
        if self._pacing.live and not self._stop.is_set():
            return True
        lead = until + self._lead
        return (
            self._settled >= lead
            and all(start >= lead for start in self._open.values())
            and not self._dubs.incomplete_before(lead)
        )
