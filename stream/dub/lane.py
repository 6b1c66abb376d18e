"""A lane: one dubbed track on its way from recognised words to finished sound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.attempt import Attempts, Reworded, Settled, Watch
from stream.dub.deliver import Delivery
from stream.dub.duration import Hindsight
from stream.dub.fit import FitOptions
from stream.dub.jitter import Played
from stream.dub.job import DubJob, Heard, Stage, Translated
from stream.dub.lateness import Lateness
from stream.dub.mixdown import Mixdown
from stream.dub.playout import Block, Playout
from stream.dub.reword import Reword, Rewording
from stream.dub.voice import Voice
from stream.flow.channel import Channel
from stream.frames import Fate
from stream.sound.mix import MixOptions
from stream.sound.tone import OpeningTone

QUEUED_BLOCKS = 4

Translate = Callable[[Heard, asyncio.Timeout], Awaitable[Translated]]
"""The translation of an utterance, within a timeout; or raises."""


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """What differs between lanes and between kinds of source.

    Attributes:
        channels: of the source's sound.
        centre: index of its centre channel, if it has one.
        mix: levels.
        fit: limits of the fit.
        capacity: ticks of source that may wait ahead of the playout position.
        translation_deadline: wall seconds after which an utterance goes without a dub.
        synthesis_deadline: the same for its speech to be placed.
        keep: newest jobs kept; all where it is ``None``.
        tone: whether the first dub begins with a tone that says what it is.
    """

    channels: int
    centre: int | None
    mix: MixOptions
    fit: FitOptions
    capacity: int
    translation_deadline: float
    synthesis_deadline: float
    keep: int | None = None
    tone: bool = False


class Lane:
    """Translates, speaks and plays out the utterances of a source in one language.

    Args:
        name: of the track.
        translation: makes the translation stage of this lane, which is told the ticks that the
            lane's voice takes for a text, and may have the dub before spoken in other words.
        voice: the synthesiser.
        options: see ``LaneOptions``.
        pacing: wall time.
        lateness: how late a dub may be.
        emit: writes a block of output.
        watch: told what becomes of each utterance.
    """

    def __init__(
        self,
        name: str,
        translation: Callable[[Lane], Translate],
        voice: Voice,
        options: LaneOptions,
        pacing: Pacing,
        lateness: Lateness,
        emit: Callable[[Block], Awaitable[None]],
        watch: Watch = lambda notice: None,
    ) -> None:
        self.name = name
        self.jobs: dict[int, DubJob] = {}
        """Every utterance so far by id, or the newest ones of an endless source."""
        mixdown = Mixdown(options.channels, options.centre, options.mix)
        self.fader = mixdown.fader
        """Whether the dub is on air."""
        tone = OpeningTone() if options.tone else None
        self.playout = Playout(
            options.channels, mixdown, pacing, self._played, options.capacity, tone
        )
        self._options = options
        self._emit = emit
        self._attempts = Attempts(pacing, lateness, watch)
        self._delivery = Delivery(voice, self.playout, pacing, options.fit, lateness)
        self._rewording = Rewording(self._delivery, self.playout, pacing)
        self._durations = self._delivery.reader.durations
        """What translation knows of the voice: all that is known, or if nobody waits, that of some
        utterances ago."""
        self._hindsight: Hindsight | None = None
        self._translate = translation(self)
        self._heard: Channel[DubJob] | None = None
        self._translated: Channel[DubJob | Reword] | None = None

    @property
    def characters_per_second(self) -> float:
        """Speed of the voice, as what was spoken by now has shown."""
        return self._delivery.reader.durations.characters_per_second

    def expected(self, text: str) -> int:
        """Ticks that the voice will take for ``text`` at its own rate."""
        return self._durations.expected(text)

    async def reword(self, before: int, text: str, following: Heard) -> bool:
        """Have the dub of the utterance before spoken in other words, if nobody has heard it.

        The synthesis stage does that in its own order, unless its turn has not come yet.

        Args:
            before: id of the utterance.
            text: to be spoken instead.
            following: the utterance that is being translated.

        Returns:
            Whether it will be spoken; otherwise all is as it was.
        """
        job = self.jobs.get(before)
        if job is None or job.fate is not None or not self._attempts.pacing.live:
            return False
        if job.id > self._delivery.begun:
            assert job.translated is not None
            job.translated = replace(job.translated, text=text, reworded=True)
            self._attempts.watch(Reworded(job, self.name))
            return True
        if not self._rewording.possible(job) or self._translated is None:
            return False
        reply: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self._translated.send(Reword(job, text, following.slot, reply))
        return await reply

    async def send(self, job: DubJob) -> None:
        """The next utterance, with its words or with a fate already; waits while many do."""
        assert self._heard is not None
        self.jobs[job.id] = job
        if self._options.keep is not None and len(self.jobs) > self._options.keep:
            del self.jobs[next(iter(self.jobs))]
        await self._heard.send(job)

    def close(self) -> None:
        """No more utterances will be sent."""
        assert self._heard is not None
        self._heard.close()

    def open(self, group: asyncio.TaskGroup, queued: int) -> list[asyncio.Task[None]]:
        """Start the stages.

        Args:
            group: owns them.
            queued: utterances that may wait before each.
        """
        if not self._attempts.pacing.live:
            # Those that wait for the voice, and the one that is being spoken.
            self._hindsight = Hindsight(self._delivery.reader.durations, queued + 1)
        self._heard = heard = Channel[DubJob](queued)
        self._translated = translated = Channel[DubJob | Reword](queued)
        return [
            group.create_task(self._translation(heard, translated), name=f"{self.name} mt"),
            group.create_task(self._synthesis(translated), name=f"{self.name} tts"),
        ]

    async def play(self) -> None:
        """Play out until the source ends."""
        blocks = Channel[Block](QUEUED_BLOCKS)

        async def write() -> None:
            async for block in blocks:
                await self._emit(block)

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            await self.playout.run(blocks.send)
            blocks.close()

    def settle(self) -> None:
        """The source has been played out: dubs that are still under way will not be heard."""
        for job in self.jobs.values():
            if job.fate is None:
                stage = Stage.TRANSLATION if job.translated is None else Stage.SYNTHESIS
                job.give_up(Fate.DROPPED, f"{stage}: nothing before the source's end")
                self._attempts.watch(Settled(job, self.name))

    async def aclose(self) -> None:
        """End the worker thread."""
        await self._delivery.aclose()

    async def _translation(self, inbox: Channel[DubJob], outbox: Channel[DubJob | Reword]) -> None:
        number = 0
        async for job in inbox:
            if self._hindsight is not None:
                self._durations = self._hindsight.before(number)
            number += 1
            if job.fate is None:
                await self._attempt_translation(job)
            await outbox.send(job)
        outbox.close()

    async def _attempt_translation(self, job: DubJob) -> None:
        async def work(limit: asyncio.Timeout) -> None:
            job.translated = await self._translate(job.heard, limit)
            if job.translated.left is not None:
                job.give_up(Fate.LEFT, job.translated.left)

        deadline = self._options.translation_deadline
        await self._attempts.run(Stage.TRANSLATION, deadline, job, self.name, work)

    async def _synthesis(self, inbox: Channel[DubJob | Reword]) -> None:
        async for message in inbox:
            if isinstance(message, Reword):
                await self._answer(message)
                continue
            if message.fate is None:
                await self._attempt_synthesis(message, followed=bool(len(inbox)))
            self._complete(message)
            if self._hindsight is not None:
                self._hindsight.spoken()

    async def _attempt_synthesis(self, job: DubJob, *, followed: bool) -> None:
        async def work(limit: asyncio.Timeout) -> None:
            job.spoken = await self._delivery.deliver(
                job.utterance, job.translation, limit, followed=followed
            )
            job.fault = job.spoken.fault
            if job.spoken.placement is None:
                job.give_up(Fate.DROPPED, job.fault)

        deadline = self._options.synthesis_deadline
        await self._attempts.run(Stage.SYNTHESIS, deadline, job, self.name, work)

    def _complete(self, job: DubJob) -> None:
        """The stages are through with a job: it is heard to its end, or the original is."""
        job.latency["total"] = asyncio.get_running_loop().time() - job.known
        job.utterance = replace(job.utterance, audio=np.zeros(0, np.float32))
        spoken = job.spoken
        if spoken is not None and spoken.placement is not None:
            broke_off = spoken.fault is not None
            self.playout.finish(job.id, job.slot, spoken.interval, broke_off=broke_off)
        else:
            self.playout.give_up(job.id, job.slot)
            self._attempts.watch(Settled(job, self.name))

    async def _answer(self, message: Reword) -> None:
        reworded = await self._rewording.reword(message.job, message.text, message.following)
        if reworded:
            self._attempts.watch(Reworded(message.job, self.name))
        if not message.reply.done():  # nobody waits any more where translation was given up
            message.reply.set_result(reworded)

    def _played(self, dub: Played) -> None:
        job = self.jobs.get(dub.id)
        if job is None:  # no longer kept
            return
        job.played = dub
        assert job.dub is not None
        job.fate = self._attempts.lateness.fate(job.dub.start - job.slot.start)
        self._attempts.watch(Settled(job, self.name))
