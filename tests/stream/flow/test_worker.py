import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from stream.flow.worker import Worker


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "livedub-test"]


def wait_for_threads(count: int) -> None:
    deadline = time.monotonic() + 5
    while len(threads()) > count and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(threads()) == count


class Hang:
    """A call that does not return until it is released."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        self.release.wait()


def test_calls_run_in_one_thread_in_order() -> None:
    async def run() -> None:
        worker = Worker("test")
        order: list[int] = []
        names = await asyncio.gather(
            *(
                worker.run(lambda n=n: (order.append(n), threading.current_thread().name)[1])
                for n in range(5)
            )
        )
        assert order == list(range(5))
        assert set(names) == {"livedub-test"}
        assert len(threads()) == 1
        await worker.aclose()

    asyncio.run(run())
    wait_for_threads(0)


async def test_what_a_call_raises_is_raised_in_its_caller() -> None:
    def fail() -> None:
        raise LookupError("of the model")

    worker = Worker("test")
    with pytest.raises(LookupError, match="of the model"):
        await worker.run(fail)
    assert await worker.run(lambda: 1) == 1
    await worker.aclose()


def test_a_hung_call_costs_itself_only_and_its_thread_ends() -> None:
    hang = Hang()

    async def run() -> None:
        worker = Worker("test")
        hung = asyncio.create_task(worker.run(hang))
        await asyncio.to_thread(hang.begun.wait)
        hung.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hung
        assert await worker.run(lambda: 2) == 2
        assert len(threads()) == 2
        hang.release.set()
        await worker.aclose()

    asyncio.run(run())
    wait_for_threads(0)


def test_an_abandoned_call_may_outlive_the_loop() -> None:
    hang = Hang()

    async def run() -> None:
        task = asyncio.create_task(Worker("test").run(hang))
        await asyncio.to_thread(hang.begun.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    hang.release.set()
    wait_for_threads(0)


async def test_all_who_close_wait_for_the_thread() -> None:
    worker, begun = Worker("test"), threading.Event()

    def slow() -> None:
        begun.set()
        time.sleep(0.1)

    call = asyncio.create_task(worker.run(slow))
    await asyncio.to_thread(begun.wait)
    first = asyncio.create_task(worker.aclose())
    await asyncio.sleep(0)
    await worker.aclose()
    assert not threads()
    await asyncio.gather(first, call)


class Numbers:
    """An iterator that knows how often it was asked and whether it was closed."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = False

    def __call__(self) -> Iterator[int]:
        try:
            for number in range(10):
                self.asked += 1
                yield number
        finally:
            self.closed = True


def test_a_stream_yields_in_order_and_closes() -> None:
    numbers = Numbers()

    async def run() -> list[int]:
        worker = Worker("test")
        got = [number async for number in worker.stream(numbers)]
        await worker.aclose()
        return got

    assert asyncio.run(run()) == list(range(10))
    assert numbers.closed


def test_a_stream_left_early_stops_its_work() -> None:
    numbers = Numbers()

    async def run() -> None:
        worker = Worker("test")
        stream = worker.stream(numbers)
        assert await anext(stream) == 0
        await stream.aclose()  # type: ignore[attr-defined]
        await worker.aclose()

    asyncio.run(run())
    assert numbers.asked == 1
    assert numbers.closed


async def test_a_stream_raises_what_its_iterator_raises() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("midway")

    worker = Worker("test")
    got: list[int] = []
    with pytest.raises(LookupError, match="midway"):
        async for number in worker.stream(broken):
            got.append(number)
    assert got == [1]
    await worker.aclose()


def test_a_cancelled_stream_leaves_the_worker_usable() -> None:
    hang = Hang()

    def slow() -> Iterator[int]:
        hang()
        yield 1

    async def run() -> None:
        worker = Worker("test")

        async def consume() -> list[int]:
            return [number async for number in worker.stream(slow)]

        task = asyncio.create_task(consume())
        await asyncio.to_thread(hang.begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await worker.run(lambda: 3) == 3
        hang.release.set()
        await worker.aclose()

    asyncio.run(run())
    wait_for_threads(0)


def test_a_closed_worker_works_again_when_asked() -> None:
    async def run() -> int:
        worker = Worker("test")
        await worker.run(lambda: 1)
        await worker.aclose()
        await worker.aclose()
        result = await worker.run(lambda: 2)
        await worker.aclose()
        return result

    assert asyncio.run(run()) == 2
    wait_for_threads(0)
