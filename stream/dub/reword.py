"""A dub that waits in the jitter buffer, spoken again in other words before anybody hears it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace

import numpy as np

from stream.clock.pacing import Pacing
from stream.dub.deliver import Delivery
from stream.dub.job import DubJob, Spoken
from stream.dub.playout import Playout
from stream.dub.shape import levelled
from stream.dub.voice import Reading
from stream.errors import message
from stream.frames import Samples
from stream.sound.tempo import change_tempo
from stream.timeline import TICK_RATE, Interval, seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reword:
    """A message to the synthesis stage.

    Attributes:
        job: whose dub was completed last.
        text: to be spoken instead.
        following: slot of the utterance that will be spoken next.
        reply: whether it will be heard; otherwise all is as it was.
    """

    job: DubJob
    text: str
    following: Interval
    reply: asyncio.Future[bool]


class Rewording:
    """Replaces the newest dub, if that makes neither it nor the next one late.

    Args:
        delivery: which spoke it.
        playout: which has not played it yet.
        pacing: how much time is left.
    """

    def __init__(self, delivery: Delivery, playout: Playout, pacing: Pacing) -> None:
        self._delivery = delivery
        self._playout = playout
        self._pacing = pacing

    def possible(self, job: DubJob) -> bool:
        """Whether a dub is the one completed last, and was spoken in one piece."""
        spoken = job.spoken
        complete = spoken is not None and spoken.placement is not None and spoken.fault is None
        # Where pauses are mirrored, the source's sound would be needed once more.
        newest = job.id == self._delivery.begun and not self._delivery.options.pauses
        return complete and newest and job.fate is None

    async def reword(self, job: DubJob, text: str, following: Interval) -> bool:
        """Speak ``text`` in the place of a dub; ``False`` leaves all as it was.

        Args:
            job: as ``possible`` allows.
            text: to be spoken.
            following: slot of the utterance that will be spoken next.
        """
        delivery = self._delivery
        reading = delivery.reader.reading(text, job.slot, job.utterance.speaker)
        if not self._in_time_for_both(seconds(reading.expected), job.slot, following):
            return False
        try:
            async with asyncio.timeout(self._pacing.time_left(job.slot.start)):
                async with contextlib.aclosing(delivery.reader.read(reading)) as pieces:
                    sound = np.concatenate([piece async for piece in pieces])
                spoken = await self._replace(job, reading, sound)
        except Exception as error:
            log.warning("a dub stays as it was: %s", message(error))
            return False
        if spoken is None:
            return False
        assert job.translated is not None
        job.spoken = spoken
        job.translated = replace(job.translated, text=text, reworded=True)
        return True

    def _in_time_for_both(self, speech: float, slot: Interval, following: Interval) -> bool:
        affords, left = self._delivery.admission.affords, self._pacing.time_left
        both = speech + seconds(following.duration)
        return affords(speech, left(slot.start)) and affords(both, left(following.start))

    async def _replace(self, job: DubJob, reading: Reading, sound: Samples) -> Spoken | None:
        """Put ``sound`` in the place of the dub of ``job``; ``None`` if it cannot be."""
        delivery, before, slot = self._delivery, job.spoken, job.slot
        assert before is not None and before.loudness is not None
        free_until = self._playout.free_until(slot)
        placement, quiet = delivery.fit(slot, sound, len(sound), delivery.before, free_until)
        theirs, _ = before.loudness

        def shape() -> tuple[Samples, float]:
            gain, ours = levelled(sound, theirs)
            shaped = change_tempo(sound, TICK_RATE, placement.tempo) * gain
            return shaped.astype(np.float32, copy=False), ours

        shaped, ours = await delivery.worker.run(shape)
        start = placement.interval.start
        if placement.truncated or len(shaped) > placement.latest - start:
            return None
        interval = Interval(start, start + len(shaped))
        if not self._playout.replace(job.id, slot, interval, shaped):
            return None
        delivery.cursor = interval.end
        return replace(
            before,
            rate=reading.rate,
            placement=placement,
            interval=interval,
            lead=quiet,
            loudness=(theirs, ours),
            truncated=False,
        )
