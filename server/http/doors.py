"""The doors to each session, put together: what viewers, publishers and other servers use."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Iterator
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request
from starlette.websockets import WebSocket

from server.access import Denied, Right, check
from server.hls.routes import hls_routes
from server.sessions.daemon import Daemon
from server.webrtc.ice_servers import ice_server
from server.webrtc.peers import Peers
from server.webrtc.routes import webrtc_router
from server.webrtc.whip import WhipSource
from server.websocket.frames import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    TRY_LATER,
    UNAUTHENTICATED,
    ProtocolError,
)
from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from server.websocket.publish import publish_router
from server.websocket.source import SocketConnection, WebSocketSource
from stream.live.feed import Feed
from stream.live.source import ConnectionStatus, LiveBatch

log = logging.getLogger(__name__)


class Doors:
    """What leads from HTTP and WebSocket into the sessions of a daemon.

    Args:
        daemon: whose sessions these are.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        serve = daemon.config.serve
        self._peers = Peers(serve.max_viewers, [ice_server(url) for url in serve.ice_servers])
        self._programmes = Programmes(self._feed)
        self._sockets = 0
        gate = Gate(self._permit_socket, self._allows, self._counted)
        self.routers: list[APIRouter] = [
            webrtc_router(self._feed, self._whip, self._permit, self._peers),
            listen_router(self._programmes, gate),
            publish_router(self._websocket, gate),
            hls_routes(lambda id_: daemon.sessions[id_].folder, self._permit_files),
        ]

    async def aclose(self) -> None:
        """Send everybody away."""
        await self._programmes.aclose()
        await self._peers.aclose()

    def _feed(self, id_: str) -> Feed:
        return self._daemon.sessions[id_].feed

    def _permit(self, request: Request, id_: str, right: Right) -> None:
        try:
            check(request, right, self._daemon.sessions.get(id_), self._daemon.config.serve.token)
        except Denied as denied:
            headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else None
            raise HTTPException(denied.status, denied.detail, headers) from None

    async def _permit_files(self, request: Request) -> None:
        self._permit(request, request.path_params["session"], "play")

    def _permit_socket(self, socket: WebSocket, id_: str, right: Right) -> None:
        try:
            check(socket, right, self._daemon.sessions.get(id_), self._daemon.config.serve.token)
        except Denied as denied:
            code = UNAUTHENTICATED if denied.status == 401 else FORBIDDEN
            raise ProtocolError(code, denied.detail) from None

    def _allows(self, origin: str, host: str) -> bool:
        """Our own page, and those that are configured."""
        return urlsplit(origin).netloc == host or origin in self._daemon.config.serve.origins

    @contextlib.contextmanager
    def _counted(self, id_: str, right: Right) -> Iterator[None]:
        most = self._daemon.config.serve.max_viewers
        if self._sockets >= most:
            raise ProtocolError(TRY_LATER, f"there are {most} clients already; try again later")
        self._sockets += 1
        try:
            yield
        finally:
            self._sockets -= 1

    async def _whip(self, id_: str, source: WhipSource) -> None:
        session = self._daemon.sessions[id_]
        if not await self._daemon.admit(session, WhipConnection(source)):
            raise HTTPException(409, f"session '{id_}' takes no publisher now")
        log.info("session %s: a publisher came by WebRTC", id_)

    async def _websocket(self, id_: str, source: WebSocketSource) -> None:
        session = self._daemon.sessions.get(id_)
        if session is None:
            raise ProtocolError(NOT_FOUND, f"there is no session '{id_[:40]}'")
        connection = SocketConnection(source)
        if not await self._daemon.admit(session, connection):
            raise ProtocolError(CONFLICT, f"session '{id_}' takes no publisher now")
        log.info("session %s: a publisher came by WebSocket", id_)
        await connection.ended.wait()


class WhipConnection:
    """A publisher by WebRTC as a connection.

    Args:
        source: its peer.
    """

    def __init__(self, source: WhipSource) -> None:
        self._source = source

    def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """See ``Connection``."""
        return self._source.batches()

    async def aclose(self) -> None:
        """End the peer; ``batches`` ends after what it holds."""
        await self._source.aclose()

    def status(self) -> ConnectionStatus:
        """See ``Connection``."""
        return ConnectionStatus("whip", self._source.concealed)
