"""Threads that share the blocks of one calculation, and the memory that they calculate in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod

import numpy as np

from stream.frames import Samples

Desk = dict[str, Samples]
"""Memory by what it is for."""


class Crew:
    """Threads for blocks that do not depend on each other; the caller's own is one of them.

    Blocks are the same however many threads there are, and so is what comes out. A context manager:
    its threads end with it.

    Args:
        threads: at least one.
        desks: memory that other crews have left; each thread works at one of its own.
    """

    def __init__(self, threads: int, desks: list[Desk]) -> None:
        self._desks = desks
        self._taken: list[Desk] = []
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
        desk: Desk | None = getattr(self._local, "desk", None)
        if desk is None:
            desk = self._local.desk = self._desk()
        size = prod(shape)
        if name not in desk or desk[name].size < size:
            desk[name] = np.empty(size, np.float32)
        return desk[name][:size].reshape(shape)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._desks += self._taken

    def _desk(self) -> Desk:
        try:
            desk = self._desks.pop()
        except IndexError:
            desk = {}
        self._taken.append(desk)
        return desk
