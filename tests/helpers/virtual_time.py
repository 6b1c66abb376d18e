"""An event loop whose clock jumps to the next timer: an hour of media passes in no time.

The clock moves only when there is nothing else to do: when no callback is ready and no call
that the loop handed to a thread is in flight. Those calls are the ``Worker``'s,
``asyncio.to_thread``'s and everything else that goes through ``run_in_executor``; while one runs
the loop waits for it in real time and the clock stands still, so what a test sees does not
depend on how fast the machine is. A call that was cancelled is no longer waited for.

Only the loop's own clock is virtual: sockets, subprocesses and ``time.monotonic()`` stay real,
and code that needs them belongs on an ordinary loop.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")

START = 1000.0
"""What the clock shows at first: not 0, as on a real machine."""
PATIENCE_S = 60.0
"""Real seconds that a call in a thread may take."""


class DeadlockError(RuntimeError):
    """Nothing is ready, scheduled or in flight: the loop would wait for ever."""


class StuckError(RuntimeError):
    """No call in flight returned for as long as one may take."""


def run_virtual(main: Coroutine[Any, Any, T], *, patience_s: float = PATIENCE_S) -> T:
    """Like ``asyncio.run``, on a virtual clock.

    Raises:
        DeadlockError: If ``main`` waits for something that can never happen.
        StuckError: If a call in a thread takes longer than ``patience_s`` real seconds.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(patience_s)) as runner:
        return runner.run(main)


def hang(until: threading.Event) -> None:
    """Block a thread as a hung model does: the clock goes on until the event is set."""
    call: _Call | None = getattr(_Call.running, "call", None)
    if call is None:
        until.wait()
    else:
        call.hang(until)


def pause(seconds: float) -> None:
    """``time.sleep`` on the loop's clock, in a thread; over at once for a call given up."""
    _Call.running.call.pause(seconds)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop that the module describes."""

    _scheduled: list[asyncio.TimerHandle]  # asyncio's heap of timers

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._now = START
        self._patience_s = patience_s
        self._in_flight: dict[asyncio.Future[Any], _Call] = {}
        self._ending_threads = False
        super().__init__(_Selector(self._idle))

    def time(self) -> float:
        return self._now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        call = _Call(self, func)
        future: asyncio.Future[T] = super().run_in_executor(executor, call, *args)
        self._in_flight[future] = call
        future.add_done_callback(self._left)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        self._ending_threads = True
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._ending_threads = False

    def _left(self, future: asyncio.Future[Any]) -> None:
        self._in_flight.pop(future).leave()

    def _idle(self, select: Callable[[float], _Events], timeout: float | None) -> _Events:
        """Wait for a thread, or else let the next timer be due."""
        if self._ending_threads or any(not call.hangs for call in self._in_flight.values()):
            if events := select(self._patience_s):
                return events
            raise StuckError(f"no thread returned in {self._patience_s:g} s; {self._waiting()}")
        if timeout is None:
            raise DeadlockError(f"nothing can happen any more; {self._waiting()}")
        # The timer's own time: "now + timeout" may differ from it in the last digit.
        self._now = max(self._now, self._scheduled[0].when())
        return []

    def _waiting(self) -> str:
        tasks = sorted(map(_place, asyncio.all_tasks(self)))
        calls = sorted(repr(call.function) for call in self._in_flight.values())
        return f"waiting: {', '.join(tasks) or 'no task'}; in threads: {', '.join(calls) or 'none'}"


class _Call:
    """A function in a thread."""

    running = threading.local()

    def __init__(self, loop: VirtualTimeLoop, function: Callable[..., Any]) -> None:
        self.loop = loop
        self.function = function
        self._left = False
        self._paused = threading.Event()
        self._hung: threading.Event | None = None

    def __call__(self, *args: Any) -> Any:
        self.running.call = self
        try:
            return self.function(*args)
        finally:
            self.running.call = None

    @property
    def hangs(self) -> bool:
        return self._hung is not None and not self._hung.is_set()

    def hang(self, until: threading.Event) -> None:
        self._hung = until
        self.loop.call_soon_threadsafe(lambda: None)  # it is waiting for this very call
        until.wait()
        self._hung = None

    def pause(self, seconds: float) -> None:
        over = self._paused = threading.Event()
        if not self._left:
            self.loop.call_soon_threadsafe(self.loop.call_later, seconds, over.set)
            self.hang(over)

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self._left = True
        self._paused.set()


_Events = list[tuple[selectors.SelectorKey, int]]


class _Selector(selectors.DefaultSelector):
    """Asks what to do instead of waiting."""

    def __init__(self, idle: Callable[[Callable[[float], _Events], float | None], _Events]) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> _Events:
        events = super().select(0)
        if events or timeout == 0:
            return events
        return self._idle(super().select, timeout)


def _place(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    line = f" at {frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else ""
    return f"{getattr(task.get_coro(), '__qualname__', task.get_name())}{line}"
