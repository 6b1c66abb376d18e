"""The pipeline: source, segmentation, stages, playout and sink under one task group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stream.clock.due import DUE
from stream.clock.pacing import Pacing
from stream.dub.jitter import Played
from stream.dub.job import DubJob
from stream.dub.playout import Block, Playout
from stream.flow.channel import Channel
from stream.frames import (
    SPEECH_RATE,
    TICKS_PER_SAMPLE,
    AudioChunk,
    Batch,
    Embedding,
    Fate,
    Samples,
    Transcript,
    Utterance,
    Word,
)
from stream.sound.resample import Resampler
from stream.speech.diarize import Diarizer
from stream.speech.incremental import Incremental, Spoken, since_onset
from stream.speech.segment import Draft, Segmenter
from stream.timeline import TICK_RATE, Interval, seconds, ticks

log = logging.getLogger(__name__)

ON_TIME = ticks(0.08)
"""A dub is on time if its first sample is heard within this of its utterance's start."""

QUEUED_JOBS = 4
"""Utterances that may wait before each stage of a source that can be held back."""

QUEUED_LIVE = 32
"""The same where it cannot: more than are ever worth dubbing by the time their turn comes."""

QUEUED_BLOCKS = 4

DRAFT = 5.0
"""Wall seconds for hearing speech under way; it is heard again once it has ended."""

DEAF = 5.0
"""Seconds for which a live source is not listened to after its detector hung."""


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
        hear: the words, with their times, of speech that has to be cut or is still under way;
            or raises.
        deadline: wall seconds for either, after which speech goes undetected or is cut blind.
    """

    probabilities: Callable[[Samples], Awaitable[Samples]]
    window: int
    hear: Callable[[Samples], Awaitable[Transcript]]
    deadline: float


async def _no_collection(utterance: Utterance, nearness: float) -> None:
    """Nobody's voice is collected."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """What tells speakers apart.

    Attributes:
        embed: the voice in mono speech at ``SPEECH_RATE``, or raises.
        diarizer: sorts the voices of this source.
        deadline: wall seconds for one voice, after which the utterance is the last speaker's.
        collect: gets each utterance with words, labelled, and its nearness to its speaker's mean;
            it must not raise.
    """

    embed: Callable[[Samples], Awaitable[Embedding]]
    diarizer: Diarizer
    deadline: float
    collect: Callable[[Utterance, float], Awaitable[None]] = _no_collection


@dataclass(slots=True)
class Lane:
    """One dubbed track on its way: what differs between target languages.

    Attributes:
        name: of the track.
        stages: in order, after recognition; the last one hands the dub to ``playout``.
        playout: plays the dubs; it must get the pipeline's ``played`` for this lane.
        emit: writes a block of output.
        jobs: every utterance so far by id, or the newest ones of an endless source.
    """

    name: str
    stages: Sequence[Stage]
    playout: Playout
    emit: Callable[[Block], Awaitable[None]]
    jobs: dict[int, DubJob] = field(default_factory=dict)

    def played(self, dub: Played) -> DubJob:
        """A dub was heard to its end."""
        job = self.jobs[dub.id]
        start = min(dub.interval.start + job.lead, dub.interval.end)
        job.dub, job.starved = Interval(start, dub.interval.end), dub.starved
        onset = start - job.slot.start
        job.fate = Fate.ON_TIME if abs(onset) <= ON_TIME else Fate.LATE
        return job


class Pipeline:
    """Dubs one source into one or several tracks.

    A fault in a stage costs the utterance its dub: the original is heard in its place, and
    the stream goes on. Faults of the sink end the run, since there is nowhere to go on to.

    Args:
        media: of the source, in order.
        centre: index of its centre channel, if it has one.
        segmenter: fresh; cuts the speech.
        listening: the models that hear.
        recognition: the stage that all lanes share.
        lanes: the first one carries the picture.
        pacing: wall time.
        max_late: seconds after its time at which a dub is not worth making any more.
        watch: called with a stage's name, or ``fate``, after it has dealt with a job; the lane
            is ``None`` for recognition.
        keep: newest jobs kept in each lane; all where it is ``None``.
        speakers: tells who speaks while it is recognised what they say; ``None`` for one speaker.
        incremental: recognises speech while it is under way, on the same segmenter; without
            it, each utterance is recognised once it has ended.
    """

    def __init__(
        self,
        media: AsyncGenerator[Batch, None],
        centre: int | None,
        segmenter: Segmenter,
        listening: Listening,
        recognition: Stage,
        lanes: Sequence[Lane],
        pacing: Pacing,
        max_late: float,
        watch: Callable[[str, Lane | None, DubJob], None] | None = None,
        keep: int | None = None,
        speakers: Speakers | None = None,
        incremental: Incremental | None = None,
    ) -> None:
        self._media = media
        self._centre = centre
        self._segmenter = segmenter
        self._listening = listening
        self._recognition = recognition
        self.lanes = lanes
        self._pacing = pacing
        self._max_late = max_late
        self._watch = watch or (lambda stage, lane, job: None)
        self._keep = keep
        self._speakers = speakers
        self._incremental = incremental
        self._news = asyncio.Event()  # the segmenter has moved
        self._order = asyncio.Lock()  # utterances are found and sent in one go
        self._drafted: tuple[Draft, asyncio.Future[Transcript | None]] | None = None
        self._stopping = False
        self._analysis = Resampler(TICK_RATE, SPEECH_RATE)
        self._unclassified = np.zeros(0, np.float32)
        self.speech: list[Samples] = []
        """Speech probabilities of the source so far, one per window; none of an endless one."""
        self._deaf_until = 0.0
        self._heard: Channel[DubJob] | None = None
        self.deaf = 0
        """Windows whose voice activity could not be told."""

    async def run(self) -> None:
        """Run until the source has been played out, or until ``stop``."""
        self._pacing.start()
        capacity = QUEUED_LIVE if self._pacing.running else QUEUED_JOBS
        heard = self._heard = Channel[DubJob](capacity)
        entries = [Channel[DubJob](capacity) for _ in self.lanes]
        async with asyncio.TaskGroup() as group:
            working = [
                group.create_task(self._listen(heard), name="listen"),
                group.create_task(self._recognise(heard, entries), name="recognise"),
            ]
            if self._incremental is not None and self._pacing.live:
                attending = self._attend(self._incremental, heard)
                working.append(group.create_task(attending, name="attend"))
            playing = []
            for lane, entry in zip(self.lanes, entries, strict=True):
                channels = [entry, *(Channel[DubJob](capacity) for _ in lane.stages[1:]), None]
                for stage, inbox, outbox in zip(
                    lane.stages, channels[:-1], channels[1:], strict=True
                ):
                    assert inbox is not None
                    work = self._run_stage(lane, stage, inbox, outbox)
                    working.append(group.create_task(work, name=f"{lane.name} {stage.name}"))
                playing.append(group.create_task(self._play(lane), name=f"{lane.name} playout"))
            await asyncio.wait(playing)
            for task in working:
                task.cancel()

    @property
    def unheard(self) -> int:
        """Utterances that wait for recognition."""
        return len(self._heard) if self._heard is not None else 0

    async def stop(self) -> None:
        """End early: what is dubbed by now is played, the rest is left."""
        self._stopping = True
        for lane in self.lanes:
            await lane.playout.stop()

    async def _play(self, lane: Lane) -> None:
        blocks = Channel[Block](QUEUED_BLOCKS)
        async with asyncio.TaskGroup() as group:
            group.create_task(_write(blocks, lane.emit))
            await lane.playout.run(blocks.send)
            await blocks.close()

    async def _listen(self, outbox: Channel[DubJob]) -> None:
        try:
            async for items in self._media:
                if self._stopping:
                    return
                await self._pacing.source(max(item.end for item in items))
                for lane in self.lanes:
                    first = lane is self.lanes[0]
                    sound = [item for item in items if isinstance(item, AudioChunk)]
                    await lane.playout.feed(items if first else sound)
                mono = [_downmix(i, self._centre) for i in items if isinstance(i, AudioChunk)]
                if mono:
                    await self._hear(self._analysis.push(np.concatenate(mono)), outbox)
            rest = self._analysis.flush()
            # A last window is filled up with silence.
            odd = (len(self._unclassified) + len(rest)) % self._listening.window
            filled = np.pad(rest, (0, (self._listening.window - odd) % self._listening.window))
            await self._hear(filled, outbox)
            async with self._order:
                last = self._known(self._segmenter.finish())
                await self._announce(last)
                for lane in self.lanes:
                    await lane.playout.end_source()
                await self._send(last, outbox)
        finally:
            await self._media.aclose()
        await outbox.close()

    async def _hear(self, audio: Samples, outbox: Channel[DubJob]) -> None:
        """Classify whole windows and send on the utterances that end in them."""
        window = self._listening.window
        audio = np.concatenate([self._unclassified, audio])
        whole = len(audio) // window * window
        audio, self._unclassified = audio[:whole], audio[whole:]
        if not whole:
            return
        probabilities = np.zeros(whole // window, np.float32)
        loop = asyncio.get_running_loop()
        if loop.time() < self._deaf_until:
            self.deaf += whole // window
        else:
            try:
                async with asyncio.timeout(self._listening.deadline):
                    probabilities = await self._listening.probabilities(audio)
            except Exception as error:
                log.warning("voice activity detection failed: %s", error or type(error).__name__)
                self.deaf += whole // window
                if self._pacing.running and isinstance(error, TimeoutError):
                    # Media keeps coming: it cannot wait for a detector that hangs.
                    self._deaf_until = loop.time() + DEAF
        if not self._pacing.running:
            self.speech.append(probabilities)
        # Offline, speech is heard window by window as it is taken in, so that the outcome depends
        # neither on pace nor on how the source comes in pieces.
        inline = self._incremental is not None and not self._pacing.live
        size = 1 if inline else len(probabilities)
        for first in range(0, len(probabilities), size):
            part = probabilities[first : first + size]
            async with self._order:
                sound = audio[first * window : (first + len(part)) * window]
                spoken = self._known(self._segmenter.push(sound, part))
                if self._incremental is not None:
                    if inline:
                        await self._draft(self._incremental)
                    spoken += self._incremental.advance()
                while self._incremental is None and self._segmenter.wants_cut():
                    spoken.append(Spoken(await self._cut()))
                await self._publish(spoken, outbox)
        self._news.set()

    async def _attend(self, incremental: Incremental, outbox: Channel[DubJob]) -> None:
        """Hear what is being said while it is being said."""
        while True:
            await self._news.wait()
            self._news.clear()
            while await self._draft(incremental):
                async with self._order:
                    await self._publish(incremental.advance(), outbox)

    async def _draft(self, incremental: Incremental) -> bool:
        """Hear the speech under way, if that is worth while."""
        draft = incremental.due()
        if draft is None:
            return False
        answer: asyncio.Future[Transcript | None] = asyncio.get_running_loop().create_future()
        self._drafted = draft, answer
        transcript, began = None, asyncio.get_running_loop().time()
        DUE.set(began + self._pacing.time_left(draft.onset * TICKS_PER_SAMPLE))
        try:
            async with asyncio.timeout(min(self._recognition.deadline, DRAFT)):
                transcript = since_onset(draft, await self._listening.hear(draft.audio))
        except Exception as error:
            log.warning("speech under way was not heard: %s", error or type(error).__name__)
            incremental.failed(draft)
        else:
            took = asyncio.get_running_loop().time() - began
            incremental.heard(draft, transcript, took)
        finally:
            answer.set_result(transcript)
            self._drafted = None
        return True

    def _known(self, utterances: list[Utterance]) -> list[Spoken]:
        """Utterances that the segmenter has ended, with what is known of their text."""
        if self._incremental is None:
            return [Spoken(utterance) for utterance in utterances]
        return [self._incremental.known(utterance) for utterance in utterances]

    async def _publish(self, spoken: list[Spoken], outbox: Channel[DubJob]) -> None:
        await self._announce(spoken)
        for lane in self.lanes:
            await lane.playout.settle(self._segmenter.settled)
        await self._send(spoken, outbox)

    async def _cut(self) -> Utterance:
        pending = self._segmenter.pending()
        words: Sequence[Word] = ()
        try:
            async with asyncio.timeout(self._listening.deadline):
                words = (await self._listening.hear(pending)).words
        except Exception as error:
            log.warning("long speech is cut blind: %s", error or type(error).__name__)
        return self._segmenter.cut(self._segmenter.choose_cut(words, pending))

    async def _announce(self, spoken: list[Spoken]) -> None:
        for each in spoken:
            for lane in self.lanes:
                await lane.playout.announce(each.utterance.id, each.utterance.slot)

    async def _send(self, spoken: list[Spoken], outbox: Channel[DubJob]) -> None:
        for each in spoken:
            now = asyncio.get_running_loop().time()
            hearing = self._covering(each.utterance) if each.transcript is None else None
            await outbox.send(
                DubJob(each.utterance, known=now, hearing=hearing, transcript=each.transcript)
            )

    def _covering(self, utterance: Utterance) -> asyncio.Future[Transcript | None] | None:
        """The answer under way to all of an utterance's speech."""
        if self._drafted is None:
            return None
        draft, answer = self._drafted
        begins = draft.onset * TICKS_PER_SAMPLE == utterance.slot.start
        return answer if begins and draft.voiced * TICKS_PER_SAMPLE >= utterance.slot.end else None

    async def _recognise(self, inbox: Channel[DubJob], entries: list[Channel[DubJob]]) -> None:
        async for heard in inbox:
            if self._speakers is None:
                await self._attempt(self._recognition, None, heard)
            else:
                await self._recognise_speaker(heard, self._speakers)
            for lane, entry in zip(self.lanes, entries, strict=True):
                job = replace(heard, latency=dict(heard.latency))
                lane.jobs[job.utterance.id] = job
                if self._keep is not None and len(lane.jobs) > self._keep:
                    del lane.jobs[next(iter(lane.jobs))]
                await entry.send(job)
        for entry in entries:
            await entry.close()

    async def _recognise_speaker(self, job: DubJob, speakers: Speakers) -> None:
        """Recognise, and tell whose voice it is meanwhile; noise is nobody's."""
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(_voice(job, speakers), name="speaker")
            await self._attempt(self._recognition, None, job)
        voice = hearing.result()
        label = speakers.diarizer.last
        if voice is not None and job.fate is not Fate.EMPTY:
            label = speakers.diarizer.assign(voice, seconds(job.slot.duration))
        job.utterance = replace(job.utterance, speaker=label)
        if voice is not None and job.fate is None:
            await speakers.collect(job.utterance, speakers.diarizer.nearness(label, voice))
        if job.fault is None:
            self._watch("speakers", None, job)

    async def _run_stage(
        self, lane: Lane, stage: Stage, inbox: Channel[DubJob], outbox: Channel[DubJob] | None
    ) -> None:
        async for job in inbox:
            if job.fate is None:
                job.followed = bool(len(inbox))
                await self._attempt(stage, lane, job)
            if outbox is not None:
                await outbox.send(job)
            else:
                await self._complete(lane, job)
        if outbox is not None:
            await outbox.close()

    async def _attempt(self, stage: Stage, lane: Lane | None, job: DubJob) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        left = self._pacing.time_left(job.slot.start)
        DUE.set(began + left)
        worth = left + self._max_late
        deadline = min(stage.deadline, worth)
        try:
            if deadline <= 0:
                raise TimeoutError
            async with asyncio.timeout(deadline) as job.timeout:
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
        job.timeout = None
        job.latency[stage.name] = clock() - began
        self._watch(stage.name, lane, job)

    async def _complete(self, lane: Lane, job: DubJob) -> None:
        job.latency["total"] = asyncio.get_running_loop().time() - job.known
        job.utterance = replace(job.utterance, audio=np.zeros(0, np.float32))
        if job.fate is not None and job.placement is None:
            await lane.playout.give_up(job.utterance.id, job.slot)
            self._watch("fate", lane, job)


async def _voice(job: DubJob, speakers: Speakers) -> Embedding | None:
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with asyncio.timeout(speakers.deadline):
            return await speakers.embed(job.utterance.audio)
    except Exception as error:
        log.warning("utterance %d: speaker: %s", job.utterance.id, error or type(error).__name__)
        return None
    finally:
        job.latency["speakers"] = clock() - began


async def _write(blocks: Channel[Block], emit: Callable[[Block], Awaitable[None]]) -> None:
    async for block in blocks:
        await emit(block)


def _downmix(chunk: AudioChunk, centre: int | None) -> Samples:
    """Speech for the models: the centre channel with half of the front pair, or their mean."""
    samples = chunk.samples
    front: Samples = samples[:, :2].mean(axis=1)
    return front if centre is None else samples[:, centre] + front
