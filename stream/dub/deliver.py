"""Synthesised speech on its way to the jitter buffer: checked, fitted, levelled, placed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.admission import Admission
from stream.dub.duration import DurationModel
from stream.dub.fit import FitOptions, OneTempo, Placement, limits, place, speaking_rate
from stream.dub.job import DubJob, StageFault
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
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Fate, Manner, Samples
from stream.sound.loudness import integrated_loudness
from stream.sound.resample import Resampler
from stream.sound.tempo import change_tempo
from stream.timeline import TICK_RATE, Interval, seconds, ticks

log = logging.getLogger(__name__)

COMMIT_MARGIN = 0.4
"""Wall seconds before its time at which an unfinished dub is placed by its expected length."""

PATIENCE = 0.5
"""Wall seconds of silence inside a dub after which no more of it is expected."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A synthesiser as the delivery sees it.

    Attributes:
        synthesise: text and the manner of speaking to pieces of mono speech.
        sample_rate: of the pieces, Hz.
        rate_range: slowest and fastest natural rate.
        characters_per_second: typical speed at rate 1.
        cast: label of a speaker to the voice that speaks for them, as ``Manner.voice``.
    """

    synthesise: Callable[[str, Manner], AsyncGenerator[Samples, None]]
    sample_rate: int
    rate_range: tuple[float, float]
    characters_per_second: float
    cast: Callable[[str], str] = lambda speaker: ""


@dataclass(slots=True)
class _Take:
    """One dub while it is being made; counts in ticks, which are samples at 48 kHz."""

    job: DubJob
    pieces: list[Samples] = field(default_factory=list)
    length: int = 0
    placement: Placement | None = None
    phrases: list[Phrase] = field(default_factory=list)
    gain: float = 1.0
    expected: int = 0
    spoken: int = 0
    scheduled: int = 0


class Delivery:
    """Speaks jobs one after another and hands the speech to playout.

    A dub that is complete well before its time is fitted by its exact length. One that is
    still being made when its time comes is placed by its expected length and streams.

    Args:
        voice: the synthesiser.
        playout: where the dubs are played.
        pacing: how much time is left.
        options: limits of the fit.
        max_late: seconds after its time at which a dub is given up.
    """

    def __init__(
        self, voice: Voice, playout: Playout, pacing: Pacing, options: FitOptions, max_late: float
    ) -> None:
        self._voice = voice
        self._playout = playout
        self._pacing = pacing
        self._options = limits(options)
        self._one_tempo = OneTempo()
        self._max_late = ticks(max_late)
        self._durations = DurationModel(voice.characters_per_second)
        self._admission = Admission(max_late)
        self._worker = Worker("delivery")
        self._begun = -1  # the utterance that was spoken last
        self._delivered: DubJob | None = None  # the one whose dub was completed last
        self._cursor = 0  # media time at which the dub scheduled last ends
        self._before = 0  # and the one before it

    async def deliver(self, job: DubJob) -> None:
        """Speak ``job.translation`` into the job's slot.

        Raises:
            StageFault: if the engine gave nothing, not numbers, or far too much, before
                anything was scheduled. What was scheduled before a fault is still played.
        """
        self._begun = job.utterance.id
        expected = self._set_rate(job)
        speech, left = seconds(expected), self._pacing.time_left(job.slot.start)
        if not self._admission.admits(speech, left, followed=job.followed):
            job.give_up(Fate.DROPPED, "tts: left out, there is no time to speak it")
            return
        take = _Take(job)
        broke_off = True
        try:
            await self._speak(take, expected)
            broke_off = False
        finally:
            if job.pieces is not None:
                self._admission.observe(speech, job.pieces[0])
            if take.placement is not None:
                start = take.placement.interval.start
                self._before, self._cursor = self._cursor, start + take.scheduled
                played = Interval(start, self._cursor)
                await self._playout.finish(job.utterance.id, job.slot, played, broke_off=broke_off)
                self._delivered = None if broke_off else job

    async def reword(self, job: DubJob, text: str, following: DubJob) -> bool:
        """Speak something else in the place of a dub, if nothing of it was heard yet.

        Only where that makes neither dub late.

        Args:
            job: was handed to ``deliver`` last, or will be.
            text: to be spoken.
            following: will be delivered next.

        Returns:
            Whether it will be spoken; otherwise all is as it was.
        """
        if job.fate is not None or not self._pacing.live:
            return False
        if job.utterance.id > self._begun:
            job.translation, job.reworded = text, True
            return True
        # Where pauses are mirrored, the source's sound would be needed once more.
        if self._delivered is not job or self._options.pauses:
            return False
        other = replace(job, translation=text, pieces=None)
        expected = self._set_rate(other)
        if not self._in_time_for_both(seconds(expected), job, following):
            return False
        try:
            async with asyncio.timeout(self._pacing.time_left(job.slot.start)):
                async with contextlib.aclosing(self._pieces(other, expected)) as pieces:
                    sound = np.concatenate([piece async for piece in pieces])
                return await self._replace(job, other, sound)
        except Exception as error:
            log.warning("a dub stays as it was: %s", error or type(error).__name__)
            return False

    def expected(self, text: str) -> int:
        """Ticks that the voice will take for ``text`` at its own rate."""
        return self._durations.expected(text)

    async def aclose(self) -> None:
        """End the worker thread."""
        await self._worker.aclose()

    def _set_rate(self, job: DubJob) -> int:
        """Choose the speaking rate; ticks that the speech is expected to take at it."""
        slowest, fastest = self._voice.rate_range
        expected = self._durations.expected(job.translation)
        rate = speaking_rate(expected, job.slot, self._options)
        job.rate = min(max(rate, slowest), fastest)
        return round(expected / job.rate)

    def _in_time_for_both(self, speech: float, job: DubJob, following: DubJob) -> bool:
        both = speech + seconds(following.slot.duration)
        return self._admission.affords(
            speech, self._pacing.time_left(job.slot.start)
        ) and self._admission.affords(both, self._pacing.time_left(following.slot.start))

    async def _replace(self, job: DubJob, other: DubJob, sound: Samples) -> bool:
        """Put ``sound``, of ``other``, in the place of the dub of ``job``."""
        free_until, slot = self._playout.free_until(job.slot), job.slot
        placement = self._fit(other, sound, len(sound), self._before, free_until)
        assert job.loudness is not None
        theirs, _ = job.loudness

        def shape() -> tuple[Samples, float]:
            gain, ours = levelled(sound, theirs)
            shaped = change_tempo(sound, TICK_RATE, placement.tempo) * gain
            return shaped.astype(np.float32, copy=False), ours

        shaped, ours = await self._worker.run(shape)
        if placement.truncated or len(shaped) > placement.latest - placement.interval.start:
            return False
        interval = Interval(placement.interval.start, placement.interval.start + len(shaped))
        if not await self._playout.replace(job.utterance.id, slot, interval, shaped):
            return False
        job.translation, job.reworded, job.rate = other.translation, True, other.rate
        job.lead, job.placement, job.loudness = other.lead, placement, (theirs, ours)
        job.truncated, self._cursor = False, interval.end
        return True

    async def _pieces(self, job: DubJob, expected: int) -> AsyncGenerator[Samples, None]:
        """What the voice says, checked, mono at 48 kHz."""
        limit, length = 3 * expected + 3 * TICK_RATE, 0
        converter = Resampler(self._voice.sample_rate, TICK_RATE)
        left = self._pacing.time_left(job.slot.start)
        job.voice = self._voice.cast(job.utterance.speaker)
        manner = Manner(
            job.rate,
            job.utterance.speaker,
            seconds(job.slot.duration),
            None if math.isinf(left) else time.monotonic() + left,
            job.voice,
        )
        began = time.monotonic()
        async with contextlib.aclosing(self._voice.synthesise(job.translation, manner)) as pieces:
            async for piece in pieces:
                after = time.monotonic() - began
                job.pieces = (job.pieces[0] if job.pieces else after, after)
                if not np.isfinite(piece).all():
                    raise StageFault("the speech holds samples that are not numbers")
                converted = converter.push(piece)
                length += len(converted)
                if length > limit:
                    raise StageFault(
                        f"over {seconds(limit):.0f} s of speech for {len(job.translation)} "
                        "characters"
                    )
                yield converted
        rest = converter.flush()
        if not length + len(rest):
            raise StageFault("no speech came back")
        self._durations.observe(job.translation, length + len(rest), job.rate)
        yield rest

    async def _speak(self, take: _Take, expected: int) -> None:
        async with contextlib.aclosing(self._pieces(take.job, expected)) as pieces:
            while (piece := await self._next(take, pieces, expected)) is not None:
                await self._take_up(take, piece)
                if take.job.fate is not None:
                    return
        if take.placement is None:
            await self._place(take, take.length, whole=True)

    async def _next(
        self, take: _Take, pieces: AsyncGenerator[Samples, None], expected: int
    ) -> Samples | None:
        """The next piece; while it is being made, what is there is played if its time comes."""
        making = asyncio.ensure_future(anext(pieces, None))
        try:
            if take.length and take.placement is None and take.job.fate is None:
                left = self._pacing.time_left(take.job.slot.start) - COMMIT_MARGIN
                if self._options.strategy == "chunk":
                    left = 0.0
                await asyncio.wait({making}, timeout=None if math.isinf(left) else max(left, 0))
                if not making.done():
                    take.job.streamed = True
                    await self._place(take, max(expected, take.length))
            if take.placement is not None and not making.done():
                dry = take.placement.interval.start + take.scheduled
                patience = max(self._pacing.time_left(dry), 0.0) + PATIENCE
                await asyncio.wait({making}, timeout=patience)
                if not making.done():
                    raise StageFault("speech broke off in the middle")
            return await making
        finally:
            if not making.done():
                making.cancel()
                await asyncio.wait({making})

    async def _take_up(self, take: _Take, samples: Samples) -> None:
        take.length += len(samples)
        if not len(samples):
            return
        take.pieces.append(samples)
        if take.placement is not None:
            await self._schedule_pieces(take)

    async def _place(self, take: _Take, length: int, *, whole: bool = False) -> None:
        job, slot = take.job, take.job.slot
        if self._pacing.live:
            free_until = self._playout.free_until(slot)
        else:
            reach = slot.end + ticks(self._options.borrow + self._options.breath)
            free_until = await self._playout.horizon(slot, reach)
        lateness = self._playout.position - slot.start
        if lateness > self._max_late:
            job.give_up(Fate.DROPPED, f"speech came {seconds(lateness):.1f} s after its time")
            return
        sound = np.concatenate(take.pieces)
        placement = self._fit(job, sound, length, self._cursor, free_until)
        take.expected = length
        if whole and self._options.pauses and not placement.truncated:
            placement = await self._worker.run(lambda: self._mirror_pauses(take, placement, sound))
        source = job.utterance.audio

        def level() -> tuple[float, float, float]:
            theirs = integrated_loudness(source, SPEECH_RATE)
            return theirs, *levelled(sound, theirs)

        theirs, take.gain, ours = await self._worker.run(level)
        job.loudness = (theirs, ours)
        job.placement = take.placement = placement
        if job.timeout is not None:
            job.timeout.reschedule(None)  # from here on patience with each piece is the limit
        job.available = self._pacing.since(slot.start)
        await self._playout.schedule(job.utterance.id, slot, placement.interval)
        await self._schedule_pieces(take)

    def _fit(
        self, job: DubJob, sound: Samples, length: int, cursor: int, free_until: int
    ) -> Placement:
        # What is heard first shall be heard at the slot's start, not the breath before it.
        job.lead = lead(sound)
        options, slot = self._options, job.slot
        if options.strategy == "global":
            options = self._one_tempo.apply(length, slot, options)
        return place(
            length,
            Interval(max(0, slot.start - job.lead), slot.end),
            earliest=max(cursor, self._playout.position),
            free_until=free_until,
            options=options,
        )

    def _mirror_pauses(self, take: _Take, placement: Placement, sound: Samples) -> Placement:
        """Where the dub has pauses for those of the source: phrases instead of one piece."""
        utterance, text = take.job.utterance, take.job.translation
        start, end = placement.interval.start, placement.interval.end
        source = [
            heard.shifted(utterance.audio_start - start)
            for heard in sounding(utterance.audio, SPEECH_RATE, SOURCE_PAUSE)
        ]
        whole = max(self._durations.expected(text), 1)
        ends = [self._durations.expected(text[:n]) / whole for n in clause_ends(text)]
        speech = sounding(sound, TICK_RATE, DUB_PAUSE)
        gaps = breaks(speech, ends)
        if len(source) < 2 or not gaps:
            return placement
        take.phrases = mirror(
            speech,
            gaps,
            source,
            length=len(sound),
            tempo=placement.tempo,
            tempos=(self._options.min_tempo, self._options.max_tempo),
            end=max(end, take.job.slot.end) - start,
        )
        last = take.phrases[-1].end + start
        return replace(
            placement,
            interval=Interval(start, last),
            tempo=max(phrase.tempo for phrase in take.phrases),
            borrowed=max(0, last - take.job.slot.end),
        )

    async def _schedule_pieces(self, take: _Take) -> None:
        assert take.placement is not None
        sound = np.concatenate(take.pieces)
        take.pieces.clear()
        tempo, gain = self._tempo(take, len(sound)), take.gain
        phrases = take.phrases or [Phrase(Interval(0, len(sound)), 0, tempo)]
        shaped = await self._worker.run(lambda: spoken(sound, phrases) * gain)
        take.spoken += len(sound)
        left = take.placement.latest - take.placement.interval.start - take.scheduled
        if len(shaped) > left:
            shaped = cut_between_words(shaped[: max(left, 0)])
            take.job.truncated = True
        take.scheduled += len(shaped)
        await self._playout.append(take.job.utterance.id, shaped.astype(np.float32, copy=False))

    def _tempo(self, take: _Take, length: int) -> float:
        """The planned tempo, or what keeps the planned end if speech turns out longer."""
        assert take.placement is not None
        if not take.spoken:
            return take.placement.tempo
        room = take.placement.interval.duration - take.scheduled
        left = max(length, take.expected - take.spoken)
        fastest = self._options.max_tempo
        needed = left / room if room > 0 else fastest
        slowest = take.placement.tempo
        if self._options.strategy == "chunk":
            slowest = self._options.min_tempo
        return min(max(needed, slowest), fastest)
