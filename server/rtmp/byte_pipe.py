"""A bounded pipe of bytes from a task on the event loop to a thread that reads and blocks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque

LIMIT = 8 << 20
"""Bytes held by default: some ten seconds of a good picture."""


class BytePipe:
    """One task writes, one thread reads, as from an unbuffered file.

    Whoever ``close``s it breaks it off for both: the reader finds its end, the writer a
    broken pipe. ``end`` lets the reader have what was written first.

    Args:
        limit: bytes held at most; a single longer write is held alone.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        if limit < 1:
            raise ValueError("a pipe holds at least one byte")
        self._limit = limit
        self._changed = threading.Condition()
        self._parts: deque[memoryview] = deque()
        self._size = 0
        self._ended = False
        self._closed = False
        self._writer: tuple[asyncio.Future[None], int] | None = None

    def __len__(self) -> int:
        return self._size

    async def write(self, data: bytes) -> None:
        """Put in all of ``data``, waiting for room; nothing of it if cancelled while waiting.

        Raises:
            BrokenPipeError: if the pipe is closed, also while waiting.
            ValueError: after ``end``, or while another task waits to write.
        """
        while not self._put(data):
            assert self._writer is not None
            room, _ = self._writer
            try:
                await room
            finally:
                with self._changed:
                    self._writer = None

    async def divide(self) -> None:
        """End one container and begin another: reading ends here until ``advance``."""
        with self._changed:
            if not self._ended and not self._closed:
                self._parts.append(memoryview(b""))
                self._changed.notify_all()

    def advance(self) -> bool:
        """Read on from where the pipe was divided; whether reading has ended there."""
        with self._changed:
            divided = bool(self._parts) and not self._parts[0]
            if divided:
                self._parts.popleft()
                if self._writer is not None and self._fits(self._writer[1]):
                    self._wake_writer()
            return divided

    async def end(self) -> None:
        """No more will be written: reading ends after what the pipe holds. Idempotent."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            self._wake_writer()

    def read(self, size: int) -> bytes:
        """The next bytes, waiting for the first; from any thread but the event loop's.

        Args:
            size: at most so many, at least 1.

        Returns:
            As much as is there up to ``size``; empty at the end, once closed, and from where
            the pipe was divided.
        """
        with self._changed:
            while not self._parts and not self._ended and not self._closed:
                self._changed.wait()
            if not self._parts or not self._parts[0]:
                return b""
            part = self._parts.popleft()
            if len(part) > size:
                self._parts.appendleft(part[size:])
                part = part[:size]
            self._size -= len(part)
            if self._writer is not None and self._fits(self._writer[1]):
                self._wake_writer()
            return bytes(part)

    def close(self) -> None:
        """Break off, from any thread; what the pipe holds is lost. Idempotent."""
        with self._changed:
            self._closed = True
            self._parts.clear()
            self._size = 0
            self._changed.notify_all()
            self._wake_writer()

    def _fits(self, count: int) -> bool:
        return not self._parts or self._size + count <= self._limit

    def _put(self, data: bytes) -> bool:
        """Take ``data`` if there is room; otherwise note that a writer waits for it."""
        with self._changed:
            if self._closed:
                raise BrokenPipeError("nobody reads from the pipe any more")
            if self._ended:
                raise ValueError("the pipe was ended and cannot be written to")
            if self._writer is not None:
                raise ValueError("another task waits to write to the pipe")
            if not data:
                return True
            if not self._fits(len(data)):
                self._writer = (asyncio.get_running_loop().create_future(), len(data))
                return False
            self._parts.append(memoryview(data))
            self._size += len(data)
            self._changed.notify_all()
            return True

    def _wake_writer(self) -> None:
        if self._writer is not None:
            room, _ = self._writer
            with contextlib.suppress(RuntimeError):  # its loop has closed
                room.get_loop().call_soon_threadsafe(_resolve, room)


def _resolve(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)
