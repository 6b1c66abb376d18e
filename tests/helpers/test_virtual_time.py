import asyncio
import threading
import time

import pytest

from stream.flow.worker import Worker
from tests.helpers.virtual_time import START, DeadlockError, StuckError, hang, pause, run_virtual


def now() -> float:
    """Seconds since the loop began."""
    return asyncio.get_running_loop().time() - START


def test_an_hour_passes_exactly_and_at_once() -> None:
    async def run() -> float:
        await asyncio.sleep(3600)
        return now()

    began = time.monotonic()
    assert run_virtual(run()) == 3600
    assert time.monotonic() - began < 60


def test_timers_come_in_the_order_of_their_times_each_at_its_own() -> None:
    seen: list[tuple[float, str]] = []

    async def tick(name: str, period: float) -> None:
        for _ in range(3):
            await asyncio.sleep(period)
            seen.append((now(), name))

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tick("slow", 4))
            tasks.create_task(tick("fast", 1.5))

    run_virtual(run())
    assert seen == [
        (1.5, "fast"), (3, "fast"), (4, "slow"), (4.5, "fast"), (8, "slow"), (12, "slow")
    ]  # fmt: skip


def test_the_clock_stands_still_while_anything_is_ready() -> None:
    async def run() -> None:
        for _ in range(1000):
            await asyncio.sleep(0)
        assert now() == 0

    run_virtual(run())


def test_an_odd_time_is_met_to_the_last_digit() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + 0.1 + 0.7
        seen: list[float] = []
        loop.call_at(due, lambda: seen.append(loop.time()))
        await asyncio.sleep(1)
        assert seen == [due]

    run_virtual(run())


def test_a_timeout_comes_at_its_time_and_a_cancelled_timer_not_at_all() -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        assert now() == 30
        async with asyncio.timeout(500):
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        assert now() == 32

    run_virtual(run())


@pytest.mark.parametrize("how", ["worker", "to_thread"])
def test_the_clock_waits_for_a_call_in_a_thread(how: str) -> None:
    async def call() -> float:
        worker = Worker("virtual")
        work = worker.run if how == "worker" else asyncio.to_thread
        await work(lambda: time.sleep(0.05))
        finished = now()
        await worker.aclose()
        return finished

    async def run() -> None:
        waiting = asyncio.create_task(asyncio.sleep(1, "timer"))
        assert await call() == 0
        assert now() == 0
        assert await waiting == "timer"
        assert now() == 1

    run_virtual(run())


def test_each_step_of_a_workers_stream_is_waited_for() -> None:
    async def run() -> None:
        worker = Worker("virtual")
        async for second in worker.stream(lambda: iter(range(5))):
            assert now() == second
            await asyncio.sleep(1)
        await worker.aclose()

    run_virtual(run())


def test_a_hung_call_holds_nothing_up_until_it_goes_on() -> None:
    async def run() -> None:
        worker, release = Worker("virtual"), threading.Event()
        call = asyncio.create_task(worker.run(lambda: hang(release)))
        await asyncio.sleep(10)
        assert not call.done()
        release.set()
        await asyncio.gather(call, asyncio.sleep(0.001))
        await worker.aclose()
        assert now() == pytest.approx(10.001)

    run_virtual(run())


def test_a_hung_call_meets_its_timeout() -> None:
    async def run() -> None:
        worker, release = Worker("virtual"), threading.Event()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(worker.run(lambda: hang(release)), 20)
        assert now() == 20
        release.set()
        await worker.aclose()
        assert now() == 20

    run_virtual(run())


def test_a_slow_call_takes_virtual_time() -> None:
    async def run() -> None:
        worker = Worker("virtual")
        for call in range(3):
            await worker.run(lambda: pause(0.5))
            assert now() == 0.5 * (call + 1)
        await worker.aclose()

    run_virtual(run())


def test_an_endless_wait_is_an_error_that_says_where() -> None:
    async def forgotten() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"forgotten at .*test_virtual_time.py:\d+"):
        run_virtual(forgotten())


def test_a_call_that_does_not_return_is_an_error_that_names_it() -> None:
    release = threading.Event()

    async def run() -> None:
        try:
            await Worker("virtual").run(release.wait)
        finally:
            release.set()

    with pytest.raises(StuckError, match="Event.wait"):
        run_virtual(run(), patience_s=0.05)


def test_what_the_coroutine_raises_comes_out() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError("after a second")

    with pytest.raises(LookupError, match="after a second"):
        run_virtual(fail())
