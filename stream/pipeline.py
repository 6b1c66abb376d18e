"""The pipeline: source, segmentation, stages, playout and sink under one task group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream.channel import Channel
from stream.frames import SPEECH_RATE, AudioChunk, CopiedPacket, Fate, Samples, Utterance, Word
from stream.jitter import Played
from stream.job import DubJob
from stream.pacing import Pacing
from stream.playout import Block, Playout
from stream.resample import Resampler
from stream.segment import Segmenter, choose_cut
from stream.source import MediaSource
from stream.timeline import TICK_RATE, Interval, ticks
from stream.worker import Worker

log = logging.getLogger(__name__)

ON_TIME = ticks(0.08)
"""A dub is on time if its first sample is heard within this of its utterance's start."""

QUEUED_JOBS = 4
"""Utterances that may wait before each stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A step that every utterance goes through.

    Attributes:
        name: for the report.
        work: fills in its part of the job; it may settle the job's fate, or raise.
        deadline: wall seconds after which the utterance goes without a dub.
    """

    name: str
    work: Callable[[DubJob], Awaitable[None]]
    deadline: float


@dataclass(frozen=True, slots=True)
class Listening:
    """What turns audio into utterances.

    Attributes:
        probabilities: rolling voice activity; mono windows at ``SPEECH_RATE`` to one
            probability each.
        window: samples a window.
        words: times the words of speech that has to be cut, or raises.
        deadline: wall seconds for either, after which speech goes undetected or is cut blind.
    """

    probabilities: Callable[[Samples], Awaitable[Samples]]
    window: int
    words: Callable[[Samples], Awaitable[Sequence[Word]]]
    deadline: float


class Pipeline:
    """Dubs one source.

    A fault in a stage costs the utterance its dub: the original is heard in its place, and
    the stream goes on. Faults of the sink end the run, since there is nowhere to go on to.

    Args:
        source: what is dubbed.
        segmenter: fresh; cuts the speech.
        listening: the models that hear.
        stages: in order; the last one hands the dub to ``playout``.
        playout: plays the dubs; the pipeline must get its ``on_played`` as ``played``.
        pacing: wall time.
        emit: writes a block of output.
        max_late: seconds after its time at which a dub is not worth making any more.
    """

    def __init__(
        self,
        source: MediaSource,
        segmenter: Segmenter,
        listening: Listening,
        stages: Sequence[Stage],
        playout: Playout,
        pacing: Pacing,
        emit: Callable[[Block], Awaitable[None]],
        max_late: float,
    ) -> None:
        self._source = source
        self._segmenter = segmenter
        self._listening = listening
        self._stages = stages
        self._playout = playout
        self._pacing = pacing
        self._emit = emit
        self._max_late = max_late
        self._stopping = False
        self._ended_at: dict[int, float] = {}
        self._analysis = Resampler(TICK_RATE, SPEECH_RATE)
        self._unclassified = np.zeros(0, np.float32)
        self.jobs: list[DubJob] = []
        """Every utterance so far, in order."""
        self.speech: list[Samples] = []
        """Speech probabilities of the source so far, one per window."""
        self.deaf = 0
        """Windows whose voice activity could not be told."""

    async def run(self) -> None:
        """Run until the source has been played out, or until ``stop``."""
        self._pacing.start()
        channels = [Channel[DubJob](QUEUED_JOBS) for _ in self._stages]
        blocks = Channel[Block](QUEUED_JOBS)
        async with asyncio.TaskGroup() as group:
            working = [group.create_task(self._listen(channels[0]), name="listen")]
            for stage, inbox, outbox in zip(
                self._stages, channels, [*channels[1:], None], strict=True
            ):
                work = self._run_stage(stage, inbox, outbox)
                working.append(group.create_task(work, name=stage.name))
            writing = group.create_task(self._write(blocks), name="write")
            await self._playout.run(blocks.send)
            await blocks.close()
            await writing
            for task in working:
                task.cancel()

    async def stop(self) -> None:
        """End early: what is dubbed by now is played, the rest is left."""
        self._stopping = True
        await self._playout.stop()

    def played(self, dub: Played) -> None:
        """A dub was heard to its end."""
        job = self.jobs[dub.id]
        start = min(dub.interval.start + job.lead, dub.interval.end)
        job.dub, job.starved = Interval(start, dub.interval.end), dub.starved
        onset = start - job.slot.start
        job.fate = Fate.ON_TIME if abs(onset) <= ON_TIME else Fate.LATE

    async def _listen(self, outbox: Channel[DubJob]) -> None:
        span = TICK_RATE // 25 if self._pacing.live else TICK_RATE // 2
        worker = Worker("source")
        try:
            batches = worker.stream(lambda: _batches(self._source, span))
            async for items in batches:
                if self._stopping:
                    return
                await self._pacing.source(_last_time(items))
                await self._playout.feed(items)
                mono = [
                    _downmix(i, self._source.info.centre)
                    for i in items
                    if isinstance(i, AudioChunk)
                ]
                if mono:
                    await self._hear(self._analysis.push(np.concatenate(mono)), outbox)
            rest = self._analysis.flush()
            # A last window is filled up with silence.
            odd = (len(self._unclassified) + len(rest)) % self._listening.window
            filled = np.pad(rest, (0, (self._listening.window - odd) % self._listening.window))
            await self._hear(filled, outbox)
            last = self._segmenter.finish()
            await self._announce(last)
            await self._playout.end_source()
            await self._send(last, outbox)
        finally:
            await worker.aclose()
        await outbox.close()

    async def _hear(self, audio: Samples, outbox: Channel[DubJob]) -> None:
        """Classify whole windows and send on the utterances that end in them."""
        window = self._listening.window
        audio = np.concatenate([self._unclassified, audio])
        whole = len(audio) // window * window
        audio, self._unclassified = audio[:whole], audio[whole:]
        if not whole:
            return
        try:
            async with asyncio.timeout(self._listening.deadline):
                probabilities = await self._listening.probabilities(audio)
        except Exception as error:
            log.warning("voice activity detection failed: %s", error or type(error).__name__)
            self.deaf += whole // window
            probabilities = np.zeros(whole // window, np.float32)
        self.speech.append(probabilities)
        utterances = self._segmenter.push(audio, probabilities)
        while self._segmenter.wants_cut():
            utterances.append(await self._cut())
        await self._announce(utterances)
        await self._playout.settle(self._segmenter.settled)
        await self._send(utterances, outbox)

    async def _cut(self) -> Utterance:
        pending = self._segmenter.pending()
        words: Sequence[Word] = ()
        try:
            async with asyncio.timeout(self._listening.deadline):
                words = await self._listening.words(pending)
        except Exception as error:
            log.warning("long speech is cut blind: %s", error or type(error).__name__)
        return self._segmenter.cut(choose_cut(words, pending))

    async def _announce(self, utterances: list[Utterance]) -> None:
        for utterance in utterances:
            await self._playout.announce(utterance.id, utterance.slot)

    async def _send(self, utterances: list[Utterance], outbox: Channel[DubJob]) -> None:
        for utterance in utterances:
            job = DubJob(utterance)
            self.jobs.append(job)
            self._ended_at[utterance.id] = asyncio.get_running_loop().time()
            await outbox.send(job)

    async def _run_stage(
        self, stage: Stage, inbox: Channel[DubJob], outbox: Channel[DubJob] | None
    ) -> None:
        async for job in inbox:
            if job.fate is None:
                await self._attempt(stage, job)
            if outbox is not None:
                await outbox.send(job)
            else:
                self._complete(job)
        if outbox is not None:
            await outbox.close()

    async def _attempt(self, stage: Stage, job: DubJob) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        worth = self._pacing.time_left(job.slot.start) + self._max_late
        deadline = min(stage.deadline, worth)
        try:
            if deadline <= 0:
                raise TimeoutError
            async with asyncio.timeout(deadline):
                await stage.work(job)
        except TimeoutError:
            if job.placement is None:
                fate = Fate.DROPPED if deadline == worth else Fate.FAILED
                job.give_up(fate, f"{stage.name}: nothing within {max(deadline, 0):.1f} s")
        except Exception as error:
            reason = f"{stage.name}: {error or type(error).__name__}"
            log.warning("utterance %d: %s", job.utterance.id, reason)
            job.fault = reason
            if job.placement is None:
                job.fate = Fate.FAILED
        job.latency[stage.name] = clock() - began
        if job.fate is not None and job.placement is None:
            await self._playout.give_up(job.utterance.id, job.slot)

    def _complete(self, job: DubJob) -> None:
        ended = self._ended_at.pop(job.utterance.id)
        job.latency["total"] = asyncio.get_running_loop().time() - ended
        job.utterance = replace(job.utterance, audio=np.zeros(0, np.float32))

    async def _write(self, blocks: Channel[Block]) -> None:
        async for block in blocks:
            await self._emit(block)


def _batches(source: MediaSource, span: int) -> Iterator[list[AudioChunk | CopiedPacket]]:
    """Media in lists of about ``span`` ticks: fewer hand-overs between threads."""
    batch: list[AudioChunk | CopiedPacket] = []
    begin: int | None = None
    for item in source:
        batch.append(item)
        time = item.end if isinstance(item, AudioChunk) else item.time
        begin = time if begin is None else begin
        if time - begin >= span:
            yield batch
            batch, begin = [], None
    if batch:
        yield batch


def _last_time(items: list[AudioChunk | CopiedPacket]) -> int:
    return max(item.end if isinstance(item, AudioChunk) else item.time for item in items)


def _downmix(chunk: AudioChunk, centre: int | None) -> Samples:
    """Speech for the models: the centre channel with half of the front pair, or their mean."""
    samples = chunk.samples
    front: Samples = samples[:, :2].mean(axis=1)
    return front if centre is None else samples[:, centre] + front
