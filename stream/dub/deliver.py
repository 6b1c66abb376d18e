"""Synthesised speech on its way to the jitter buffer: fitted, levelled, placed, streamed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.admission import Admission
from stream.dub.fit import FitOptions, OneTempo, Placement, limits, place
from stream.dub.job import Spoken, TooLate
from stream.dub.lateness import Lateness
from stream.dub.mirrored_pauses import (
    DUB_PAUSE,
    SOURCE_PAUSE,
    Phrase,
    breaks,
    clause_ends,
    mirror,
    sounding,
)
from stream.dub.playout import Playout
from stream.dub.shape import cut_between_words, lead, levelled, spoken
from stream.dub.voice import Reader, Reading, Voice
from stream.errors import LivedubError, message
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Samples, Utterance
from stream.sound.loudness import integrated_loudness
from stream.timeline import TICK_RATE, Interval, seconds, ticks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A dub that has its place; see ``Spoken``."""

    placement: Placement
    lead: int
    gain: float
    loudness: tuple[float, float]
    available: float | None
    phrases: list[Phrase] = field(default_factory=list)


@dataclass(slots=True)
class _Take:
    """One dub while it is being made; counts in ticks, which are samples at 48 kHz."""

    utterance: Utterance
    reading: Reading
    limit: asyncio.Timeout
    until: float = math.inf
    pieces: list[Samples] = field(default_factory=list)
    length: int = 0
    placed: _Placed | None = None
    expected: int = 0
    spoken: int = 0
    scheduled: int = 0
    truncated: bool = False
    streamed: bool = False

    def record(self, fault: str | None = None) -> Spoken:
        reading, placed = self.reading, self.placed
        asked = Spoken(reading.rate, reading.voice, reading.pieces, fault=fault)
        if placed is None:
            return asked
        start = placed.placement.interval.start
        return replace(
            asked,
            placement=placed.placement,
            interval=Interval(start, start + self.scheduled),
            lead=placed.lead,
            loudness=placed.loudness,
            available=placed.available,
            truncated=self.truncated,
            streamed=self.streamed,
        )


class Delivery:
    """Speaks utterances one after another and hands the speech to playout.

    A dub that is complete well before its time is fitted by its exact length. One that is
    still being made when its time comes is placed by its expected length and streams.

    Args:
        voice: the synthesiser.
        playout: where the dubs are played.
        pacing: how much time is left.
        options: limits of the fit.
        lateness: how late a dub may be.
    """

    def __init__(
        self,
        voice: Voice,
        playout: Playout,
        pacing: Pacing,
        options: FitOptions,
        lateness: Lateness,
    ) -> None:
        self.reader = Reader(voice, pacing, options := limits(options))
        self.admission = Admission(lateness)
        self.options = options
        self.worker = Worker("delivery")
        self._playout = playout
        self._pacing = pacing
        self._lateness = lateness
        self._one_tempo = OneTempo()
        self.begun = -1
        """The utterance that was spoken last, or is being spoken."""
        self.cursor = 0
        """Media time at which the dub scheduled last ends."""
        self.before = 0
        """The same of the one before it."""

    async def deliver(
        self, utterance: Utterance, text: str, limit: asyncio.Timeout, *, followed: bool
    ) -> Spoken:
        """Speak ``text`` into the utterance's slot; the caller tells playout that it is complete.

        Args:
            utterance: in order.
            text: to be spoken.
            limit: of the stage; lifted once the dub has its place.
            followed: whether the next utterance waits.

        Returns:
            How it was spoken. Without a placement it was dropped; with a fault besides, it broke
            off and what was scheduled of it is still played.

        Raises:
            StageFault: if the engine gave nothing, not numbers, or far too much, before
                anything was scheduled.
        """
        self.begun = utterance.id
        reading = self.reader.reading(text, utterance.slot, utterance.speaker)
        take = _Take(utterance, reading, limit)
        speech, left = seconds(reading.expected), self._pacing.time_left(utterance.slot.start)
        if not self.admission.admits(speech, left, followed=followed):
            return take.record("tts: left out, there is no time to speak it")
        try:
            await self._speak(take)
        except TooLate as late:
            return take.record(f"tts: {late}")
        except Exception as error:
            if take.placed is None:
                raise
            fault = f"tts: {message(error)}"
            log.warning("utterance %d: %s", utterance.id, fault)
            return take.record(fault)
        finally:
            if reading.pieces is not None:
                self.admission.observe(speech, reading.pieces[0])
            if take.placed is not None:
                end = take.placed.placement.interval.start + take.scheduled
                self.before, self.cursor = self.cursor, end
        return take.record()

    def fit(
        self, slot: Interval, sound: Samples, length: int, cursor: int, free_until: int
    ) -> tuple[Placement, int]:
        """Where speech goes that begins with ``sound``, and its inaudible lead in ticks.

        Args:
            slot: the utterance's.
            sound: mono at 48 kHz, as far as it is there.
            length: ticks of all of it, as far as is known.
            cursor: media time before which another dub is heard.
            free_until: media time at which other speech follows.
        """
        # What is heard first shall be heard at the slot's start, not the breath before it.
        quiet = lead(sound)
        options = self.options
        if options.strategy == "global":
            options = self._one_tempo.apply(length, slot, options)
        placement = place(
            length,
            Interval(max(0, slot.start - quiet), slot.end),
            earliest=max(cursor, self._playout.position),
            free_until=free_until,
            options=options,
        )
        return placement, quiet

    async def aclose(self) -> None:
        """End the worker thread."""
        await self.worker.aclose()

    async def _speak(self, take: _Take) -> None:
        async with contextlib.aclosing(self.reader.read(take.reading)) as pieces:
            while (piece := await self._next(take, pieces)) is not None:
                take.length += len(piece)
                if len(piece):
                    take.pieces.append(piece)
                    if take.placed is not None:
                        await self._schedule_pieces(take)
        if take.placed is None:
            await self._place(take, take.length, whole=True)

    async def _next(self, take: _Take, pieces: AsyncGenerator[Samples, None]) -> Samples | None:
        """The next piece; while it is being made, what is there is played if its time comes."""
        making = asyncio.ensure_future(anext(pieces, None))
        try:
            if take.length and take.placed is None:
                left = self._pacing.time_left(take.utterance.slot.start) - self._lateness.commit
                if self.options.strategy == "chunk":
                    left = 0.0
                await asyncio.wait({making}, timeout=None if math.isinf(left) else max(left, 0))
                if not making.done():
                    take.streamed = True
                    await self._place(take, max(take.reading.expected, take.length))
            if take.placed is not None and not making.done():
                dry = take.placed.placement.interval.start + take.scheduled
                patience = max(self._pacing.time_left(dry), 0.0) + self._lateness.patience
                if math.isinf(patience):  # nobody watches: what holds is the stage's deadline
                    patience = take.until - asyncio.get_running_loop().time()
                await asyncio.wait({making}, timeout=patience)
                if not making.done():
                    raise LivedubError("speech broke off in the middle")
            return await making
        finally:
            if not making.done():
                making.cancel()
                await asyncio.wait({making})

    async def _place(self, take: _Take, length: int, *, whole: bool = False) -> None:
        utterance, slot = take.utterance, take.utterance.slot
        if self._pacing.live:
            free_until = self._playout.free_until(slot)
        else:
            reach = slot.end + ticks(self.options.borrow + self.options.breath)
            free_until = await self._playout.horizon(slot, reach)
        late = self._playout.position - slot.start
        if self._lateness.hopeless(late):
            raise TooLate(f"speech came {seconds(late):.1f} s after its time")
        sound = np.concatenate(take.pieces)
        placement, quiet = self.fit(slot, sound, length, self.cursor, free_until)
        take.expected = length
        phrases: list[Phrase] = []
        if whole and self.options.pauses and not placement.truncated:
            placement, phrases = await self.worker.run(
                lambda: self._mirror_pauses(take, placement, sound)
            )

        def level() -> tuple[float, float, float]:
            theirs = integrated_loudness(utterance.audio, SPEECH_RATE)
            return theirs, *levelled(sound, theirs)

        theirs, gain, ours = await self.worker.run(level)
        take.until = take.limit.when() or math.inf
        take.limit.reschedule(None)  # from here on patience with each piece is the limit
        available = self._pacing.since(slot.start)
        take.placed = _Placed(placement, quiet, gain, (theirs, ours), available, phrases)
        self._playout.schedule(utterance.id, slot, placement.interval)
        await self._schedule_pieces(take)

    def _mirror_pauses(
        self, take: _Take, placement: Placement, sound: Samples
    ) -> tuple[Placement, list[Phrase]]:
        """Where the dub has pauses for those of the source: phrases instead of one piece."""
        utterance, text = take.utterance, take.reading.text
        start, end = placement.interval.start, placement.interval.end
        source = [
            heard.shifted(utterance.audio_start - start)
            for heard in sounding(utterance.audio, SPEECH_RATE, SOURCE_PAUSE)
        ]
        whole = max(self.reader.expected(text), 1)
        ends = [self.reader.expected(text[:n]) / whole for n in clause_ends(text)]
        speech = sounding(sound, TICK_RATE, DUB_PAUSE)
        gaps = breaks(speech, ends)
        if len(source) < 2 or not gaps:
            return placement, []
        phrases = mirror(
            speech,
            gaps,
            source,
            length=len(sound),
            tempo=placement.tempo,
            tempos=(self.options.min_tempo, self.options.max_tempo),
            end=max(end, utterance.slot.end) - start,
        )
        last = phrases[-1].end + start
        mirrored = replace(
            placement,
            interval=Interval(start, last),
            tempo=max(phrase.tempo for phrase in phrases),
            borrowed=max(0, last - utterance.slot.end),
        )
        return mirrored, phrases

    async def _schedule_pieces(self, take: _Take) -> None:
        placed = take.placed
        assert placed is not None
        sound = np.concatenate(take.pieces)
        take.pieces.clear()
        tempo = self._tempo(take, placed.placement, len(sound))
        phrases = placed.phrases or [Phrase(Interval(0, len(sound)), 0, tempo)]
        shaped = await self.worker.run(lambda: spoken(sound, phrases) * placed.gain)
        take.spoken += len(sound)
        left = placed.placement.latest - placed.placement.interval.start - take.scheduled
        if len(shaped) > left:
            shaped = cut_between_words(shaped[: max(left, 0)])
            take.truncated = True
        take.scheduled += len(shaped)
        self._playout.append(take.utterance.id, shaped.astype(np.float32, copy=False))

    def _tempo(self, take: _Take, placement: Placement, length: int) -> float:
        """The planned tempo, or what keeps the planned end if speech turns out longer."""
        if not take.spoken:
            return placement.tempo
        room = placement.interval.duration - take.scheduled
        left = max(length, take.expected - take.spoken)
        fastest = self.options.max_tempo
        needed = left / room if room > 0 else fastest
        slowest = placement.tempo
        if self.options.strategy == "chunk":
            slowest = self.options.min_tempo
        return min(max(needed, slowest), fastest)
