"""uvicorn's WebSocket protocol, made safe against peers that stop reading."""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio.transports import BaseTransport
from collections.abc import Callable

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

for _name in ("uvicorn.access", "uvicorn.error"):
    # They log whole addresses, tokens in their queries included, and headers when asked for more.
    logging.getLogger(_name).setLevel(logging.WARNING)

STUCK_S = 15.0
"""Seconds without any progress after which a connection is cut."""

WRITE_BUFFER = 64 * 1024
"""Bytes that wait in the process before senders have to wait."""

SOCKET_BUFFER = 256 * 1024
"""Bytes that wait in the kernel; its own choice would hold half a minute of sound."""


class StuckWatch:
    """Cuts a connection whose peer reads nothing.

    Args:
        transport: of the connection.
        loop: its event loop.
        seconds: without any progress after which it is cut.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        seconds: float = STUCK_S,
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0

    def begin(self) -> None:
        """More waits to be read than should."""
        self._waiting = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(self._seconds, self._check)

    def end(self) -> None:
        """Enough has been read."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._transport.get_write_buffer_size() >= self._waiting:
            self._transport.abort()
        else:
            self.begin()


class Watched(asyncio.Protocol):
    """Before a protocol that lets its senders wait: cuts it if its peer reads nothing."""

    stuck = STUCK_S
    _watch: StuckWatch | None = None

    def watch(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, once there is a connection."""
        self._watch = StuckWatch(transport, loop, self.stuck)

    def pause_writing(self) -> None:
        """Begin to watch for progress."""
        super().pause_writing()
        assert self._watch is not None
        self._watch.begin()

    def resume_writing(self) -> None:
        """Stop watching."""
        super().resume_writing()
        assert self._watch is not None
        self._watch.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.end()
        super().connection_lost(exc)


class LiveWebSocketProtocol(Watched, WebSocketsSansIOProtocol):
    """For ``uvicorn.Config(ws=LiveWebSocketProtocol)``.

    Closing a connection waits until all that was written has been read. A peer that has
    stopped reading would hold it, its memory and the server's shutdown for ever.
    """

    on_lost: Callable[[], None] | None = None
    """Called when the connection is gone."""
    _cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what may wait to be written."""
        super().connection_made(transport)
        self.watch(self.transport, self.loop)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Cut the connection if what is left to write is not read soon."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._cut = self.loop.call_later(self.stuck, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching, and tell whoever counts connections."""
        if self._cut is not None:
            self._cut.cancel()
        if self.on_lost is not None:
            self.on_lost()
        super().connection_lost(exc)
