"""uvicorn's WebSocket protocol, made safe against peers that stop reading."""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

STUCK_S = 15.0
"""Seconds without any progress after which a connection is cut."""

WRITE_BUFFER = 64 * 1024
"""Bytes that wait in the process before senders have to wait."""

SOCKET_BUFFER = 256 * 1024
"""Bytes that wait in the kernel; its own choice would hold half a minute of sound."""


class LiveWebSocketProtocol(WebSocketsSansIOProtocol):
    """For ``uvicorn.Config(ws=LiveWebSocketProtocol)``.

    Closing a connection waits until all that was written has been read. A peer that has
    stopped reading would hold it, its memory and the server's shutdown for ever.
    """

    stuck = STUCK_S
    _timer: asyncio.TimerHandle | None = None
    _cut: asyncio.TimerHandle | None = None
    _waiting = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what may wait to be written."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)

    def pause_writing(self) -> None:
        """Begin to watch for progress."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Stop watching."""
        super().resume_writing()
        self._unwatch()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Cut the connection if what is left to write is not read soon."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._cut = self.loop.call_later(self.stuck, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self._unwatch()
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._waiting = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(self.stuck, self._check)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self.transport.get_write_buffer_size() >= self._waiting:
            self.transport.abort()
        else:
            self._watch()
