"""Playout: the delayed picture and bed, with each dub laid back on its own media time."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.delay_line import DelayLine, SpeechLine
from stream.dub.jitter import JitterBuffer, Played
from stream.dub.mixdown import Mixdown
from stream.dub.slots import Slots
from stream.flow.signal import Signal
from stream.frames import AudioChunk, Packet, Samples
from stream.sound.tone import OpeningTone
from stream.timeline import END_OF_TIME, FRAME, TICK_RATE, Interval

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


JUMP = 10 * TICK_RATE
"""Ticks by which pictures that wait may be further ahead than is allowed, unless they jumped."""


class Playout:
    """The delay line, the jitter buffer and the mix on one playout position.

    Its state changes between awaits alone, so that all but waiting are plain methods.

    Args:
        channels: of the source's audio.
        mixdown: fresh.
        pacing: when a frame is due.
        on_played: called when a dub has been heard to its end.
        capacity: ticks of source that may wait ahead of the playout position.
        tone: put over the first dub, if any.
    """

    def __init__(
        self,
        channels: int,
        mixdown: Mixdown,
        pacing: Pacing,
        on_played: Callable[[Played], object],
        capacity: int,
        tone: OpeningTone | None = None,
    ) -> None:
        self._tone = tone
        self._pacing = pacing
        self._capacity = capacity
        self._dubs = JitterBuffer(on_played)
        self._mixdown = mixdown
        self._source = DelayLine(channels)
        self._speech = SpeechLine()
        self._slots = Slots(capacity)
        self._paced = pacing.running
        self._batch = FRAME if self._paced else BATCH
        self._ended = False
        self._stop = asyncio.Event()
        self._changed = Signal()

    @property
    def position(self) -> int:
        """Media time that the viewer has seen, ticks."""
        return self._dubs.position

    async def feed(self, items: Sequence[AudioChunk | Packet]) -> None:
        """Put source media into the delay line; waits while it is full."""
        await self._changed.wait_for(lambda: self._stop.is_set() or self._has_room())
        self._source.push(items)
        self._changed.notify()

    def lift(self, speech: Sequence[AudioChunk], settled: int) -> None:
        """How much of the source's sound is speech, where that is known.

        Args:
            speech: in each channel, in order.
            settled: media time up to which no more is to come, ticks.
        """
        if self._mixdown.lookahead is not None:
            self._speech.push(speech, settled)
            self._changed.notify()

    def end_source(self) -> None:
        """No more media will come."""
        self._ended = True
        self._slots.settle_all()
        self._changed.notify()

    def settle(self, time: int) -> None:
        """No utterance that was not announced starts before ``time``."""
        self._slots.settle(time)
        self._changed.notify()

    def announce(self, id_: int, slot: Interval) -> None:
        """An utterance was found: its slot is played once its dub is known or given up."""
        self._slots.announce(id_, slot, self.position)
        self._changed.notify()

    def give_up(self, id_: int, slot: Interval) -> None:
        """There will be no dub: the original is heard."""
        self._slots.resolve(id_)
        self._mixdown.fall_back(id_, slot, self.position)
        self._changed.notify()

    def schedule(self, id_: int, slot: Interval, interval: Interval) -> None:
        """A dub will be heard over ``interval``; the bed gives way to it and to its slot."""
        self._slots.resolve(id_)
        self._dubs.add(id_, interval.start)
        self._mixdown.make_way(id_, slot, interval, self.position)
        self._changed.notify()

    def append(self, id_: int, samples: Samples) -> None:
        """The next piece of a scheduled dub, mono at 48 kHz, shape ``(n,)``."""
        self._dubs.append(id_, samples)
        self._changed.notify()

    def finish(
        self, id_: int, slot: Interval, interval: Interval, *, broke_off: bool = False
    ) -> None:
        """The dub is complete, and takes ``interval`` after all.

        One that broke off gives the original back as soon as what there is of it was heard.
        """
        self._dubs.finish(id_)
        self._mixdown.release(id_, slot, interval, self.position, at_once=broke_off)
        self._changed.notify()

    def replace(self, id_: int, slot: Interval, interval: Interval, samples: Samples) -> bool:
        """Play ``samples`` over ``interval`` in the place of the dub that was scheduled last.

        Returns:
            ``False``, with nothing changed, if any of it was played already.
        """
        if not self._dubs.replace(id_, interval.start, samples):
            return False
        self._mixdown.make_way(id_, slot, interval, self.position)
        self._changed.notify()
        return True

    def free_until(self, slot: Interval) -> int:
        """Media time up to which no speech follows the slot, as far as is known."""
        return self._slots.free_until(slot, self._source.media_end)

    async def horizon(self, slot: Interval, until: int) -> int:
        """``free_until``, once it is certain up to ``until``."""
        await self._changed.wait_for(
            lambda: self._stop.is_set() or self._slots.certain(slot, until)
        )
        return self.free_until(slot)

    def stop(self) -> None:
        """Play what is ready and end there."""
        self._stop.set()
        self._changed.notify()

    async def run(self, emit: Callable[[Block], Awaitable[None]]) -> None:
        """Play the source out block by block, until it ends or is stopped."""
        block: list[_Frame] = []
        start = self.position
        while length := await self._next_frame():
            block.append(self._play(length))
            if self.position - start >= self._batch:
                await self._emit(emit, start, block)
                block, start = [], self.position
        self._dubs.end()
        silence = self._mixdown.silence()
        block.append((self._mixdown.flush(), silence, silence[:, 0]))
        await self._emit(emit, start, block, last=True)

    async def _next_frame(self) -> int:
        """Wait until the next frame may be played; its length, 0 at the end."""
        until = self.position + FRAME
        await self._changed.wait_for(lambda: self._ready(until) or self._stop.is_set())
        if not self._ready(until):
            return 0
        await self._until_due()
        if self._pacing.running and not (self._ended or self._stop.is_set()):
            # Where nobody knows yet whether there will be a dub, the original is heard.
            for id_, slot in self._slots.open_at(self.position):
                self._mixdown.fall_back(id_, slot, self.position)
            return FRAME
        if self.position < self._source.audio_end:
            return min(FRAME, self._source.audio_end - self.position)
        # The source's audio is over, but a dub may end on the picture that still runs.
        left = self._source.media_end - self.position
        return min(FRAME, left) if self._dubs.waiting else 0

    def _has_room(self) -> bool:
        """Whether neither clock of the source is too far ahead.

        That of the pictures counts where time passes by itself, and where they have not jumped:
        what waits for long is bounded in bytes.
        """
        if self._source.audio_end - self.position >= self._capacity:
            return False
        ahead = self._source.picture_time - self.position
        return not (self._paced and self._capacity <= ahead < self._capacity + JUMP)

    async def _until_due(self) -> None:
        # The limiter holds back less than a frame: mixed a frame early, sound leaves in time.
        early = FRAME if self._pacing.running else 0
        left = self._pacing.time_left(self.position - early)
        if math.isfinite(left) and left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._stop.wait()

    def _play(self, length: int) -> _Frame:
        start = self.position
        bed = self._source.sound(start, length)
        dub = self._dubs.pull(length)
        if self._tone is not None:
            dub = self._tone.over(dub)
        speech, fader = self._speech_at(start, length), self._mixdown.fader
        gain = None if fader.open else fader.gain(length)
        mix = self._mixdown.mix(start, bed, dub, speech, gain)
        return mix, bed, dub if gain is None else dub * gain

    def _speech_at(self, start: int, length: int) -> Samples | None:
        """What of the sound is speech, and what follows."""
        lookahead = self._mixdown.lookahead
        if lookahead is None:
            return None
        speech = self._speech.ahead(start, length + lookahead)
        over = self._speech.settled == END_OF_TIME
        if over and speech is not None and start + len(speech) >= self._source.audio_end:
            # Beyond the source's end there is none.
            speech = np.pad(speech, ((0, length + lookahead - len(speech)), (0, 0)))
        return speech

    async def _emit(
        self,
        emit: Callable[[Block], Awaitable[None]],
        start: int,
        frames: list[_Frame],
        *,
        last: bool = False,
    ) -> None:
        until = END_OF_TIME if last and not self._stop.is_set() else self.position
        audio, bed, dub = (np.concatenate(parts) for parts in zip(*frames, strict=True))
        await emit(Block(start, audio, bed, dub, self._source.packets(until)))
        self._changed.notify()
        await asyncio.sleep(0)

    def _ready(self, until: int) -> bool:
        if self._pacing.running:
            return self._source.audio_end > 0 or self._ended
        if self._source.audio_end < until and not self._ended:
            return False
        if self._pacing.live and not self._stop.is_set():
            return True
        lead = until + self._mixdown.lead
        found = self._slots.known_until(lead) and not self._dubs.incomplete_before(lead)
        return found and self._speech_settled(until)

    def _speech_settled(self, until: int) -> bool:
        lookahead = self._mixdown.lookahead
        return lookahead is None or self._speech.settled >= until + lookahead


_Frame = tuple[Samples, Samples, Samples]
"""Mix, bed and dub of one frame."""
