"""A dedicated thread for blocking work: off the event loop, cancellable between steps."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

GRACE_S = 3.0
"""Closing waits this long for a call that was abandoned."""


class Worker:
    """Runs its owner's calls one after another in a daemon thread.

    A call that is cancelled while its function runs cannot be interrupted: the worker
    abandons that thread (it ends by itself when the function returns) and the next call
    gets a fresh one, so a hung model costs one utterance and not the stream.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: _Thread | None = None
        self._threads: list[_Thread] = []

    async def run(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the thread and return what it returns, or raise what it raises."""
        thread = self._current()
        try:
            # The way that event loops know of: one that counts its calls sees this one too.
            return await asyncio.get_running_loop().run_in_executor(thread, function)
        except asyncio.CancelledError:
            self._abandon(thread)
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
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        if ending := [*self._threads]:
            await asyncio.to_thread(_join, ending, time.monotonic() + GRACE_S)
            # Only now, so that whoever closes at the same time waits as well.
            self._threads = [thread for thread in self._threads if thread not in ending]

    def _current(self) -> _Thread:
        if self._thread is None:
            self._thread = _Thread(self._name)
            self._threads = [*(t for t in self._threads if t.is_alive()), self._thread]
        return self._thread

    def _abandon(self, thread: _Thread) -> None:
        thread.shutdown()
        if self._thread is thread:
            self._thread = None


class _Thread(Executor):
    """One daemon thread, which ends after what it was given before it was shut down."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self._jobs,), name=f"livedub-{name}", daemon=True
        )
        self._thread.start()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # re-raised in the caller
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(job)
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        self._jobs.put(None)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)


def _work(jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job  # and with it the result


def _join(threads: list[_Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
