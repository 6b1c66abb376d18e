"""The doors to each session, put together: what viewers, publishers and other servers use."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from fastapi import APIRouter, HTTPException, Request
from starlette.websockets import WebSocket

from server.access import Denied, Right, check
from server.daemon import Daemon, Output, RunningSession
from server.hls import HlsOutput
from server.hls_routes import hls_routes
from server.webrtc_routes import Peers, webrtc_router
from server.whip import WhipSource
from server.ws_frames import FORBIDDEN, UNAUTHENTICATED, ProtocolError
from server.ws_gate import Gate
from server.ws_listen import listen_router
from server.ws_programme import Programmes
from stream.feed import Feed
from stream.live_source import LiveBatch


def routers(daemon: Daemon) -> list[APIRouter]:
    """The HTTP and WebSocket doors of a daemon."""

    def feed(id_: str) -> Feed:
        return daemon.sessions[id_].feed

    def permit(request: Request, id_: str, right: Right) -> None:
        try:
            check(request, right, daemon.sessions.get(id_), daemon.config.serve.token)
        except Denied as denied:
            headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else None
            raise HTTPException(denied.status, denied.detail, headers) from None

    def permit_socket(websocket: WebSocket, id_: str, right: Right) -> None:
        try:
            check(websocket, right, daemon.sessions.get(id_), daemon.config.serve.token)
        except Denied as denied:
            code = UNAUTHENTICATED if denied.status == 401 else FORBIDDEN
            raise ProtocolError(code, denied.detail) from None

    async def permit_files(request: Request) -> None:
        permit(request, request.path_params["session"], "play")

    async def ingest(id_: str, source: WhipSource) -> None:
        session = daemon.sessions[id_]
        if not daemon.admit(session, _Whip(source)):
            raise HTTPException(409, f"somebody publishes to session '{id_}' already")

    peers = Peers(ice_servers=daemon.config.serve.ice_servers)
    return [
        webrtc_router(feed, ingest, permit, peers),
        listen_router(Programmes(feed), Gate(permit_socket)),
        hls_routes(lambda id_: daemon.sessions[id_].folder, permit_files),
    ]


def outputs(session: RunningSession) -> Iterable[Output]:
    """Where a session goes beside its viewers."""
    if session.spec.hls:
        # Nobody knows yet when the publisher comes: there is no date for media time 0.
        yield HlsOutput(session.feed, session.folder, program_date_time=False)


class _Whip:
    """A publisher by WebRTC as a connection."""

    def __init__(self, source: WhipSource) -> None:
        self._source = source

    async def batches(self) -> AsyncGenerator[LiveBatch, None]:
        """See ``Connection``."""
        async for batch in self._source.batches():
            yield batch

    async def aclose(self) -> None:
        """End the peer; ``batches`` ends after what it holds."""
        self._source.end()
