"""A thread of one's own for blocking work: off the event loop, cancellable between steps."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
_Job = Callable[[], None]

GRACE = 3.0
"""Seconds that closing waits for a call that was abandoned."""


class Worker:
    """Runs its owner's calls one after another in a daemon thread.

    A call that is cancelled while its function runs cannot be interrupted: the worker
    abandons that thread (it ends by itself when the function returns) and the next call
    gets a fresh one, so a hung model costs one utterance and not the stream.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] | None = None
        self._threads: list[threading.Thread] = []

    async def run(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the thread and return what it returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                result = function()
            except BaseException as error:  # re-raised in the caller
                _settle(loop, future, None, error)
            else:
                _settle(loop, future, result, None)

        jobs = self._queue()
        jobs.put(job)
        try:
            return await future
        except asyncio.CancelledError:
            self._abandon(jobs)
            raise

    async def stream(self, generate: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
        """Yield what the iterator made by ``generate`` yields, one step ahead at most."""
        iterator = await self.run(generate)
        done = object()
        try:
            while (item := await self.run(lambda: next(iterator, done))) is not done:
                yield item  # type: ignore[misc]
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                with contextlib.suppress(ValueError):  # still running in an abandoned thread
                    close()

    async def aclose(self) -> None:
        """End the thread, and wait a while for those that were abandoned.

        A process that exits while a thread is inside native code may be aborted, so calls
        that can still end are given the time to.
        """
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None
        deadline = time.monotonic() + GRACE
        # A thread's end cannot be awaited, only looked for.
        while any(t.is_alive() for t in self._threads) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self._threads.clear()

    def _queue(self) -> queue.SimpleQueue[_Job | None]:
        if self._jobs is None:
            self._jobs = queue.SimpleQueue()
            thread = threading.Thread(
                target=_work, args=(self._jobs,), name=f"livedub-{self._name}", daemon=True
            )
            thread.start()
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        return self._jobs

    def _abandon(self, jobs: queue.SimpleQueue[_Job | None]) -> None:
        jobs.put(None)
        if self._jobs is jobs:
            self._jobs = None


def _work(jobs: queue.SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()


def _settle(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
    result: T | None,
    error: BaseException | None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    with contextlib.suppress(RuntimeError):  # the loop closed while an abandoned call ran
        loop.call_soon_threadsafe(settle)
