"""From VAD windows to utterances with their words and speakers, under way and afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from stream.clock.due import DUE
from stream.dub.attempt import Attempts, StageDone
from stream.dub.course import Cause, Course
from stream.dub.job import DubJob, Stage
from stream.errors import message
from stream.flow.channel import Channel, Closed
from stream.flow.waited import WAITED, Waited
from stream.frames import (
    TICKS_PER_SAMPLE,
    Embedding,
    Fate,
    Samples,
    Transcript,
    Utterance,
)
from stream.speech.account import of_draft
from stream.speech.detection import Windows
from stream.speech.hearing import Hearing
from stream.speech.incremental import Found
from stream.speech.segment import Draft
from stream.speech.spoken_language import SpokenLanguage
from stream.timeline import seconds

log = logging.getLogger(__name__)

Recognise = Callable[[Utterance, Transcript | None], Awaitable[Transcript]]
"""The words of an utterance, given what is known of them already; or raises."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A recogniser, as a source uses it.

    Attributes:
        words: the words, with their times, of speech that has to be cut or is still under way;
            or raises.
        words_deadline: wall seconds for that.
        whole: the words of an utterance that has ended.
        deadline: wall seconds for that.
    """

    words: Callable[[Samples], Awaitable[Transcript]]
    words_deadline: float
    whole: Recognise
    deadline: float


async def _no_collection(utterance: Utterance, nearness: float) -> None:
    """Nobody's voice is collected."""


class Sorter(Protocol):
    """Sorts utterances by voice as they come: ``Diarizer``, or ``RegisterDiarizer``."""

    last: str
    """Who spoke last: the label of an utterance whose voice is not known."""

    def assign(self, voice: Embedding, seconds: float) -> str:
        """The label of the next utterance, and how many seconds of speech are in it."""
        ...

    def nearness(self, label: str, voice: Embedding) -> float:
        """How near a voice is to its speaker's mean, up to 1."""
        ...


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
    diarizer: Sorter
    deadline: float
    collect: Callable[[Utterance, float], Awaitable[None]] = _no_collection


@dataclass(frozen=True, slots=True)
class Languages:
    """What recognises a source in which several languages are spoken.

    Attributes:
        spoken: tells them apart.
        recogniser: for speech in one of them.
    """

    spoken: SpokenLanguage
    recogniser: Callable[[str], Recogniser]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the recogniser made of speech under way.

    Attributes:
        transcript: up to ``until``; ``None`` if it failed.
        took: wall seconds.
        until: sample at which another language begins, if one does.
    """

    transcript: Transcript | None
    took: float
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """An utterance that waits for recognition.

    Attributes:
        found: as segmentation found it.
        known: event-loop time at which it did.
        answer: under way to all of its words; ``None`` of a failure.
        course: what time went to until then; see ``DubJob``.
    """

    found: Found
    known: float
    answer: asyncio.Future[Transcript | None] | None = None
    course: Course | None = None


@dataclass(slots=True)
class _Call:
    """The newest recognition of speech under way, in event-loop time."""

    began: float = -math.inf
    answered: float = -math.inf
    waited: Waited = field(default_factory=Waited)


class Recognition:
    """Owns segmentation and recognition of one source.

    Args:
        hearing: fresh; drives both.
        recogniser: the model's side.
        attempts: runs stages.
        speakers: tells who speaks; ``None`` for one speaker.
        languages: recognise the source in ``recogniser``'s place, where there are several.
    """

    def __init__(
        self,
        hearing: Hearing,
        recogniser: Recogniser,
        attempts: Attempts,
        speakers: Speakers | None = None,
        languages: Languages | None = None,
    ) -> None:
        self._hearing = hearing
        self._recogniser = recogniser
        self._attempts = attempts
        self._speakers = speakers
        self._languages = languages
        self._under_way: asyncio.Future[Transcript | None] | None = None
        self._call = _Call()

    async def find(
        self,
        inbox: Channel[Windows | Answer],
        outbox: Channel[Pending],
        announce: Callable[[Sequence[Utterance], int | None], None],
    ) -> None:
        """Find utterances until the inbox is closed.

        Args:
            inbox: windows of the source; answers are put there too.
            outbox: what is found; closed at the end.
            announce: told of each utterance at once, and the media time before which none can
                start any more, in ticks; ``None`` at the source's end.
        """

        async def publish(found: Sequence[Found], settled: int | None) -> None:
            announce([each.utterance for each in found], settled)
            for each in found:
                now = asyncio.get_running_loop().time()
                answer = self._under_way if each.awaited else None
                await outbox.send(Pending(each, now, answer, self._course(each.utterance, now)))

        hearing = self._hearing
        async with asyncio.TaskGroup() as group:
            async for item in inbox:
                if isinstance(item, Answer):
                    found = hearing.answer(item.transcript, item.took, item.until)
                    await publish(found, hearing.settled)
                elif hearing.inline:
                    # Window by window, so that neither the pace nor the size of the source's
                    # pieces changes the outcome.
                    for window in item.each():
                        await publish(await self._inline(window), hearing.settled)
                else:
                    found = hearing.push(item.audio, item.probabilities)
                    await publish(found, hearing.settled)
                if not hearing.inline and (draft := hearing.due()) is not None:
                    self._under_way = asyncio.get_running_loop().create_future()
                    group.create_task(self._answer(draft, self._under_way, inbox))
            await publish(hearing.finish(), None)
        outbox.close()

    async def _inline(self, window: Windows) -> list[Found]:
        """What comes of a window, once everything that it makes due has been recognised."""
        found = self._hearing.push(window.audio, window.probabilities)
        while (draft := self._hearing.due()) is not None:
            answer = await self._recognise_draft(draft)
            # As if it took no time: nobody waits, and a file comes out the same on any machine.
            found += self._hearing.answer(answer.transcript, until=answer.until)
        return found

    async def _answer(
        self,
        draft: Draft,
        future: asyncio.Future[Transcript | None],
        inbox: Channel[Windows | Answer],
    ) -> None:
        answer = await self._recognise_draft(draft)
        future.set_result(answer.transcript if answer.until is None else None)
        with contextlib.suppress(Closed):  # the source is over
            await inbox.send(answer)

    async def _recognise_draft(self, draft: Draft) -> Answer:
        clock = asyncio.get_running_loop().time
        began = clock()
        DUE.set(began + self._attempts.pacing.time_left(draft.onset * TICKS_PER_SAMPLE))
        call = self._call = _Call(began, math.inf)
        WAITED.set(call.waited)
        recogniser, until = self._recogniser, None
        try:
            if self._languages is not None:
                async with asyncio.timeout(recogniser.words_deadline):
                    draft, language, until = await self._languages.spoken.of_draft(draft)
                recogniser = self._languages.recogniser(language)
            heard = await of_draft(draft, recogniser.words, recogniser.words_deadline)
        except Exception as error:
            log.warning("speech under way was not recognised: %s", message(error))
            heard = None
        call.answered = clock()
        return Answer(heard, call.answered - began, until)

    def _course(self, utterance: Utterance, now: float) -> Course | None:
        """What time went to until an utterance was known to have ended."""
        pacing, call, slot = self._attempts.pacing, self._call, utterance.slot
        since = pacing.since(slot.start)
        if since is None:
            return None
        first = now - since
        course = Course(first, first, now + pacing.time_left(slot.start))
        course.until(min(first + seconds(slot.duration), now), Cause.SPEECH)
        course.until(min(call.began, now), Cause.ENDPOINTING)
        course.until(min(call.answered, now), Cause.RECOGNITION, call.waited.seconds)
        course.until(now, Cause.ENDPOINTING)
        return course

    async def recognise(self, pending: Pending) -> DubJob:
        """An utterance with its words and its speaker, or with a fate if it has none."""
        job = DubJob(pending.found.utterance, pending.known, course=pending.course)
        if self._speakers is None:
            await self._transcribe(job, pending)
            return job
        speakers = self._speakers
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_voice(job, speakers), name="speaker")
            await self._transcribe(job, pending)
        voice = telling.result()
        label = speakers.diarizer.last
        if voice is not None and job.fate is not Fate.EMPTY:
            label = speakers.diarizer.assign(voice, seconds(job.slot.duration))
        job.utterance = replace(job.utterance, speaker=label)
        if job.course is not None:
            job.course.until(asyncio.get_running_loop().time(), Cause.RECOGNITION)
        if voice is not None and job.fate is None:
            await speakers.collect(job.utterance, speakers.diarizer.nearness(label, voice))
        if job.fault is None:
            self._attempts.watch(StageDone(job, None, Stage.DIARISATION))
        return job

    async def _transcribe(self, job: DubJob, pending: Pending) -> None:
        async def work(limit: asyncio.Timeout) -> None:
            known = pending.found.transcript
            if known is None and pending.answer is not None:
                known = await asyncio.shield(pending.answer)
            recogniser = self._recogniser
            if self._languages is not None:
                language = known.language if known is not None else ""
                language = language or await self._languages.spoken.of_utterance(job.utterance)
                recogniser = self._languages.recogniser(language)
            job.transcript = await recogniser.whole(job.utterance, known)
            if not job.transcript.text.strip():
                job.give_up(Fate.EMPTY)

        deadline = self._recogniser.deadline
        await self._attempts.run(Stage.RECOGNITION, deadline, job, None, work)


async def _voice(job: DubJob, speakers: Speakers) -> Embedding | None:
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with asyncio.timeout(speakers.deadline):
            return await speakers.embed(job.utterance.audio)
    except Exception as error:
        log.warning("utterance %d: speaker: %s", job.id, message(error))
        return None
    finally:
        job.latency[Stage.DIARISATION] = clock() - began
