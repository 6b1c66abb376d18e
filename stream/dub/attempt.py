"""One stage's attempt at one utterance: its deadline, its faults, and who is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stream.clock.due import DUE
from stream.clock.pacing import Pacing
from stream.dub.course import Cause
from stream.dub.job import DubJob, Stage, TooLate
from stream.dub.lateness import Lateness
from stream.errors import message
from stream.flow.waited import WAITED, Waited
from stream.frames import Fate

log = logging.getLogger(__name__)

CAUSES = {
    Stage.RECOGNITION: (Cause.CORE, Cause.RECOGNITION),
    Stage.TRANSLATION: (Cause.CORE, Cause.TRANSLATION),
    Stage.SYNTHESIS: (Cause.QUEUE, Cause.VOICE),
}
"""What the time before each stage goes to, and the time in it."""


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage has dealt with an utterance, well or not.

    Attributes:
        job: as it is now.
        track: the lane's; ``None`` for what all lanes share.
        stage: which one.
    """

    job: DubJob
    track: str | None
    stage: Stage


@dataclass(frozen=True, slots=True)
class Reworded:
    """A dub that nobody has heard yet is spoken in other words; attributes as in ``StageDone``."""

    job: DubJob
    track: str


@dataclass(frozen=True, slots=True)
class Settled:
    """It is known what became of an utterance in a lane; attributes as in ``StageDone``."""

    job: DubJob
    track: str


Notice = StageDone | Reworded | Settled

Watch = Callable[[Notice], None]


class Attempts:
    """Runs stages within what time is left.

    Args:
        pacing: wall time.
        lateness: how late a dub may be.
        watch: told when a stage has dealt with a job.
    """

    def __init__(self, pacing: Pacing, lateness: Lateness, watch: Watch) -> None:
        self.pacing = pacing
        self.lateness = lateness
        self.watch = watch

    async def run(
        self,
        stage: Stage,
        deadline: float,
        job: DubJob,
        track: str | None,
        work: Callable[[asyncio.Timeout], Awaitable[None]],
    ) -> None:
        """Have ``work`` do its part of a job; a fault settles the job's fate.

        Args:
            stage: for the report.
            deadline: wall seconds after which the utterance goes without a dub.
            job: the utterance.
            track: the lane's, if it is one's.
            work: given the timeout, which it may lift; it may raise.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        left = self.pacing.time_left(job.slot.start)
        DUE.set(began + left)
        before, within = CAUSES[stage]
        waited = Waited()
        WAITED.set(waited)
        if job.course is not None:
            job.course.until(began, before)
            job.course.due = began + left
        worth = self.lateness.worth(left)
        limit = min(deadline, worth)
        try:
            async with asyncio.timeout(limit) as timeout:
                if limit > 0:
                    await work(timeout)
        except Exception as error:
            if not timeout.expired():  # an engine's own timeouts are its faults
                reason = f"{stage}: {message(error)}"
                log.warning("utterance %d: %s", job.id, reason)
                late = isinstance(error, TooLate)
                job.give_up(Fate.DROPPED if late else Fate.FAILED, reason)
        if limit <= 0 or timeout.expired():
            fate = Fate.DROPPED if limit == worth else Fate.FAILED
            job.give_up(fate, f"{stage}: nothing within {max(limit, 0):.1f} s")
        job.latency[stage] = clock() - began
        if job.course is not None:
            ready = None if job.available is None else job.course.first + job.available
            job.course.until(clock() if ready is None else ready, within, waited.seconds)
            job.course.over = ready is not None
        self.watch(StageDone(job, track, stage))
