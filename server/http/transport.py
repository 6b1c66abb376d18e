"""uvicorn's HTTP protocol, made safe against peers that say nothing, and against too many."""

from __future__ import annotations

import asyncio
from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.limits import Places
from server.problems import Problem
from server.websocket.transport import LiveWebSocketProtocol, Watched

HEAD_S = 10.0
"""Seconds that a request's head may take, from connecting or from the last answer."""

BODY_S = 30.0
"""Seconds that its body may take."""


class Connections:
    """The connections to the HTTP port, WebSockets among them.

    Where there are too many, the one that has waited longest without asking for anything makes
    way: it is of no use to anybody.

    Args:
        places: for all of them.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._waiting: dict[LiveHttpProtocol, None] = {}  # for a head, the oldest first

    def enter(self, host: str | None) -> Callable[[], None]:
        """Take one in; returns what is called when it is gone.

        Raises:
            Problem: if there is no room.
        """
        if self._places.taken >= self._places.most and self._waiting:
            next(iter(self._waiting)).abort()
        return self._places.take(host)

    def wait(self, protocol: LiveHttpProtocol, waits: bool) -> None:
        """Note whether a connection waits for a request."""
        if waits:
            self._waiting.setdefault(protocol)
        else:
            self._waiting.pop(protocol, None)


class LiveHttpProtocol(Watched, H11Protocol):
    """For ``uvicorn.Config(http=partial(LiveHttpProtocol, connections=...))``.

    uvicorn starts a timer after its first answer only, and has none for whoever does not read.
    """

    head, body = HEAD_S, BODY_S

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._all = connections
        self._leave: Callable[[], None] = lambda: None
        self._awaited: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Take the connection in, or end it."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.watch(transport, self.loop)
        try:
            self._leave = self._all.enter(self.client[0] if self.client else None)
        except Problem:
            transport.abort()
            return
        self._await_input()

    def data_received(self, data: bytes) -> None:
        """Take what came, and see what is to come."""
        super().data_received(data)
        if self.transport.get_protocol() is self:
            self._await_input()

    def on_response_complete(self) -> None:
        """See whether another request is to come."""
        super().on_response_complete()
        self._await_input()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over; it still counts."""
        self._expect(None)
        super().handle_websocket_upgrade(event)
        websocket = self.transport.get_protocol()
        assert isinstance(websocket, LiveWebSocketProtocol)
        websocket.on_lost, self._leave = self._leave, lambda: None

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place to another."""
        self._expect(None)
        self._leave()
        super().connection_lost(exc)

    def abort(self) -> None:
        """End the connection now, and give its place to another."""
        self._expect(None)
        self._leave()
        self.transport.abort()

    def _await_input(self) -> None:
        state = self.conn.their_state
        if state is h11.IDLE:
            self._expect(self.head)
        elif state is h11.SEND_BODY:
            self._expect(self.body)
        else:
            self._expect(None)

    def _expect(self, seconds: float | None) -> None:
        """Something must have come in so many seconds; ``None`` where nothing is to come."""
        self._all.wait(self, seconds is not None and seconds == self.head)
        if seconds == self._awaited and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._awaited, self._timer = seconds, None
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self.abort)
