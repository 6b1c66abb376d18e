"""Playout: the delayed picture and bed, with each dub laid back on its own media time."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.jitter import JitterBuffer, Played
from stream.frames import AudioChunk, Packet, Samples
from stream.sound.limiter import Limiter
from stream.sound.mix import Ducker, MixOptions, add_dub
from stream.timeline import END_OF_TIME, FRAME, TICK_RATE, Interval, ticks

LONGEST_LEAD = ticks(0.05)
"""A dub may begin this long before its slot, with sound too quiet to be noticed."""

BATCH = 10 * FRAME
"""Ticks handed to a sink that nobody watches, at a time."""


@dataclass(slots=True)
class Block:
    """A stretch of finished output.

    Attributes:
        start: media time of the first sample, ticks.
        audio: the mix, shape ``(n, channels)``; behind by the limiter's latency, so that the
            first block is a little shorter and the last one longer than the stretch.
        bed: the source's own sound, shape ``(m, channels)``.
        dub: the dub alone before mixing, shape ``(m,)``.
        packets: those due in this stretch.
    """

    start: int
    audio: Samples
    bed: Samples
    dub: Samples
    packets: list[Packet] = field(default_factory=list)


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
        on_played: Callable[[Played], object],
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
        self._packets: deque[Packet] = deque()
        self._batch = FRAME if pacing.running else BATCH
        self._audio_end = 0
        self._media_end = 0
        self._ended = False
        self._stop = asyncio.Event()
        self._settled = 0
        self._open: dict[int, Interval] = {}
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

    async def feed(self, items: Sequence[AudioChunk | Packet]) -> None:
        """Put source media into the delay line; waits while it is full."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._stop.is_set() or self._audio_end - self.position < self._capacity
            )
            for item in items:
                if isinstance(item, AudioChunk):
                    self._chunks.append(item)
                    self._audio_end = item.end
                else:
                    self._packets.append(item)
                self._media_end = max(self._media_end, item.end)
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
            self._open[id_] = slot
            self._onsets.append(slot.start)
            while self._onsets[0] < self.position - self._capacity:
                self._onsets.popleft()
            self._changed.notify_all()

    async def give_up(self, id_: int, slot: Interval) -> None:
        """There will be no dub: the original is heard."""
        async with self._changed:
            self._open.pop(id_, None)
            self._ducker.fell_back(id_, slot, self.position)
            self._changed.notify_all()

    async def schedule(self, id_: int, slot: Interval, interval: Interval) -> None:
        """A dub will be heard over ``interval``; the bed gives way to it and to its slot."""
        async with self._changed:
            self._open.pop(id_, None)
            self._dubs.add(id_, interval.start)
            self._make_way(id_, slot, interval)
            self._changed.notify_all()

    async def append(self, id_: int, samples: Samples) -> None:
        """The next piece of a scheduled dub, mono at 48 kHz, shape ``(n,)``."""
        async with self._changed:
            self._dubs.append(id_, samples)
            self._changed.notify_all()

    async def finish(
        self, id_: int, slot: Interval, interval: Interval, *, broke_off: bool = False
    ) -> None:
        """The dub is complete, and takes ``interval`` after all.

        One that broke off gives the original back as soon as what there is of it was heard.
        """
        async with self._changed:
            self._dubs.finish(id_)
            if broke_off:
                self._ducker.ended(id_, max(interval.end, self.position), at_once=True)
            else:
                self._ducker.ended(id_, max(_covered_until(slot, interval), self.position))
            self._changed.notify_all()

    async def replace(self, id_: int, slot: Interval, interval: Interval, samples: Samples) -> bool:
        """Play ``samples`` over ``interval`` in the place of the dub that was scheduled last.

        Returns:
            ``False``, with nothing changed, if any of it was played already.
        """
        async with self._changed:
            if not self._dubs.replace(id_, interval.start, samples):
                return False
            self._make_way(id_, slot, interval)
            self._changed.notify_all()
            return True

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
        block: list[_Frame] = []
        start = self.position
        while length := await self._next_frame():
            block.append(self._mix(length))
            if self.position - start >= self._batch:
                await self._emit(emit, start, block)
                block, start = [], self.position
        self._dubs.end()
        silence = np.zeros((0, self._channels), np.float32)
        block.append((self._limiter.flush(), silence, silence[:, 0]))
        await self._emit(emit, start, block, last=True)

    async def _next_frame(self) -> int:
        """Wait until the next frame may be played; its length, 0 at the end."""
        until = self.position + FRAME
        async with self._changed:
            await self._changed.wait_for(lambda: self._ready(until) or self._stop.is_set())
            if not self._ready(until):
                return 0
        await self._until_due()
        if self._pacing.running and not (self._ended or self._stop.is_set()):
            self._open_late_slots()
            return FRAME
        if self.position < self._audio_end:
            return min(FRAME, self._audio_end - self.position)
        # The source's audio is over, but a dub may end on the picture that still runs.
        return min(FRAME, self._media_end - self.position) if self._dubs.waiting else 0

    async def _until_due(self) -> None:
        # The limiter holds back less than a frame: mixed a frame early, sound leaves in time.
        early = FRAME if self._pacing.running else 0
        left = self._pacing.time_left(self.position - early)
        if math.isfinite(left) and left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._stop.wait()

    def _make_way(self, id_: int, slot: Interval, interval: Interval) -> None:
        """The bed gives way to a dub over ``interval`` and to its slot."""
        covered = Interval(min(interval.start, slot.start), _covered_until(slot, interval))
        self._ducker.dubbed(id_, covered, self.position)

    def _open_late_slots(self) -> None:
        """Where nobody knows yet whether there will be a dub, the original is heard."""
        for id_, slot in self._open.items():
            if slot.start <= self.position < slot.end:
                self._ducker.fell_back(id_, slot, self.position)

    def _mix(self, length: int) -> _Frame:
        start = self.position
        bed = self._take(start, length)
        dub = self._dubs.pull(length)
        audible = bed * self._ducker.gain(start, length)
        if dub.any():
            audible = add_dub(audible, dub, self._centre)
        out = self._limiter.process(audible)
        priming = min(self._priming, length)
        self._priming -= priming
        return out[priming:], bed, dub

    def _take(self, start: int, length: int) -> Samples:
        """The bed from ``start``, silence where it has not come, shape ``(length, channels)``."""
        out = np.zeros((length, self._channels), np.float32)
        end = start + length
        while self._chunks and self._chunks[0].start < end:
            chunk = self._chunks.popleft()
            late = max(0, start - chunk.start)
            usable = chunk.samples[late : end - chunk.start]
            out[chunk.start + late - start :][: len(usable)] = usable
            if chunk.end > end:
                self._chunks.appendleft(AudioChunk(end, chunk.samples[end - chunk.start :]))
                break
        return out

    async def _emit(
        self,
        emit: Callable[[Block], Awaitable[None]],
        start: int,
        frames: list[_Frame],
        *,
        last: bool = False,
    ) -> None:
        until = END_OF_TIME if last and not self._stop.is_set() else self.position
        packets: list[Packet] = []
        while self._packets and self._packets[0].time < until:
            packets.append(self._packets.popleft())
        audio, bed, dub = (np.concatenate(parts) for parts in zip(*frames, strict=True))
        await emit(Block(start, audio, bed, dub, packets))
        async with self._changed:
            self._changed.notify_all()
        await asyncio.sleep(0)

    def _ready(self, until: int) -> bool:
        if self._pacing.running:
            return self._audio_end > 0 or self._ended
        if self._audio_end < until and not self._ended:
            return False
        if self._pacing.live and not self._stop.is_set():
            return True
        lead = until + self._lead
        return (
            self._settled >= lead
            and all(slot.start >= lead for slot in self._open.values())
            and not self._dubs.incomplete_before(lead)
        )


_Frame = tuple[Samples, Samples, Samples]
"""Mix, bed and dub of one frame."""


def _covered_until(slot: Interval, dub: Interval) -> int:
    """Media time until which the original gives way: a short dub leaves it a second at most."""
    return max(dub.end, min(slot.end, dub.end + TICK_RATE))
