"""One stage's attempt at one utterance, four seconds before the viewer sees it or less."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from stream.clock.due import DUE
from stream.clock.pacing import Offline, Pacing, RealTime
from stream.dub.attempt import Attempts, Notice, StageDone
from stream.dub.job import DubJob, Stage
from stream.dub.lateness import Lateness
from stream.frames import Fate, Utterance
from stream.timeline import Interval, ticks
from tests.helpers.virtual_time import START

pytestmark = pytest.mark.virtual_time
Work = Callable[[asyncio.Timeout], Awaitable[None]]


async def attempt(
    work: Work, *, deadline: float = 10.0, late: float = 0.0, pacing: Pacing | None = None
) -> tuple[DubJob, list[Notice]]:
    """An attempt at what the viewer sees at 4 s, ``late`` seconds after the start."""
    pacing = pacing or RealTime(3.0)
    pacing.start()
    await asyncio.sleep(late)
    notices: list[Notice] = []
    slot = Interval(ticks(1), ticks(2))
    job = DubJob(Utterance(7, slot, np.zeros(0, np.float32), slot.start, "pause"))
    attempts = Attempts(pacing, Lateness(), notices.append)
    await attempts.run(Stage.TRANSLATION, deadline, job, "pt", work)
    return job, notices


def lasting(seconds: float, fault: Exception | None = None) -> Work:
    async def work(limit: asyncio.Timeout) -> None:
        await asyncio.sleep(seconds)
        if fault is not None:
            raise fault

    return work


async def test_what_is_done_in_time_has_no_fate_yet() -> None:
    job, notices = await attempt(lasting(5.4))
    assert (job.fate, job.fault) == (None, None)
    assert job.latency == {"mt": pytest.approx(5.4, abs=1e-9)}
    assert notices == [StageDone(job, "pt", Stage.TRANSLATION)]


@pytest.mark.parametrize(
    ("deadline", "late", "fate", "fault"),
    [
        (3.0, 0.0, Fate.FAILED, "mt: nothing within 3.0 s"),
        (10.0, 0.0, Fate.DROPPED, "mt: nothing within 5.5 s"),
        (3.0, 4.0, Fate.DROPPED, "mt: nothing within 1.5 s"),
    ],
)
async def test_a_stage_has_until_its_deadline_or_until_the_dub_is_not_worth_it(
    deadline: float, late: float, fate: Fate, fault: str
) -> None:
    job, notices = await attempt(lasting(99), deadline=deadline, late=late)
    assert (job.fate, job.fault) == (fate, fault)
    assert job.latency["mt"] == pytest.approx(min(deadline, 5.5 - late), abs=1e-9)
    assert len(notices) == 1


async def test_what_is_too_late_already_is_not_begun() -> None:
    begun: list[bool] = []

    async def work(limit: asyncio.Timeout) -> None:
        begun.append(True)

    job, notices = await attempt(work, late=5.5)
    assert not begun and len(notices) == 1
    assert (job.fate, job.fault) == (Fate.DROPPED, "mt: nothing within 0.0 s")
    assert job.latency == {"mt": 0.0}


async def test_offline_the_stages_deadline_alone_holds() -> None:
    job, _ = await attempt(lasting(9.9), pacing=Offline())
    assert job.fate is None
    job, _ = await attempt(lasting(10.1), pacing=Offline())
    assert (job.fate, job.fault) == (Fate.FAILED, "mt: nothing within 10.0 s")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ValueError("no such word"), "mt: no such word"),
        (ValueError(), "mt: ValueError"),
        (TimeoutError("the server does not answer"), "mt: the server does not answer"),
        (TimeoutError(), "mt: TimeoutError"),
    ],
)
@pytest.mark.parametrize("deadline", [2.0, 10.0])
async def test_a_fault_fails_the_dub_in_its_own_words(
    fault: Exception, said: str, deadline: float, caplog: pytest.LogCaptureFixture
) -> None:
    job, notices = await attempt(lasting(1.0, fault), deadline=deadline)
    assert (job.fate, job.fault) == (Fate.FAILED, said)
    assert job.latency["mt"] == pytest.approx(1.0, abs=1e-9)
    assert f"utterance 7: {said}" in caplog.text and len(notices) == 1


async def test_a_limit_that_was_lifted_holds_no_more() -> None:
    async def work(limit: asyncio.Timeout) -> None:
        limit.reschedule(None)
        await asyncio.sleep(100)

    job, _ = await attempt(work)
    assert job.fate is None and job.latency["mt"] == pytest.approx(100, abs=1e-9)


async def test_the_engine_is_told_when_the_viewer_sees_it() -> None:
    due: list[float] = []

    async def work(limit: asyncio.Timeout) -> None:
        due.append(DUE.get())

    await attempt(work, late=1.0)
    assert due == [START + 4.0]


async def test_cancellation_is_no_fault() -> None:
    task = asyncio.create_task(attempt(lasting(99)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
