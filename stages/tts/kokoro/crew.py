"""Threads that share the blocks of one calculation, and the memory that they calculate in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod

import numpy as np

from stream.frames import Samples


class Crew:
    """Threads for blocks that do not depend on each other; the caller's own is one of them.

    Blocks are the same however many threads there are, and so is what comes out. A context manager:
    its threads end with it.

    Args:
        threads: at least one.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads - 1, "livedub-crew") if threads > 1 else None
        self._threads = threads
        self._local = threading.local()

    def each(self, work: Callable[[int], None], blocks: Sequence[int]) -> None:
        """Call ``work`` with every block and return when all are done."""
        if self._pool is None or len(blocks) < 2:
            for block in blocks:
                work(block)
            return
        waiting = iter(blocks)
        lock = threading.Lock()

        def take() -> None:
            while True:
                with lock:
                    block = next(waiting, None)
                if block is None:
                    return
                work(block)

        others = [self._pool.submit(take) for _ in range(min(self._threads, len(blocks)) - 1)]
        try:
            take()
        finally:
            for other in others:
                if not other.cancel():  # one that has not begun is not waited for
                    other.result()

    def scratch(self, name: str, *shape: int) -> Samples:
        """This thread's memory of a name: whatever it held is lost at the next call.

        Memory that is kept costs no page faults, a tenth of the time if it were not.
        """
        held: dict[str, Samples] = self._local.__dict__
        size = prod(shape)
        if name not in held or held[name].size < size:
            held[name] = np.empty(size, np.float32)
        return held[name][:size].reshape(shape)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
