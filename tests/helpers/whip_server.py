"""A WHIP server over real HTTP: our own door, or a function that answers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import uvicorn
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from server.access import Denied, Right
from server.http import problems
from server.webrtc.peers import Peers
from server.webrtc.routes import webrtc_router
from server.webrtc.whip import WhipSource
from stream.live.connection import Connection
from tests.helpers.received import Received


class Studio:
    """Takes publishers who show a token, and notes what they send."""

    def __init__(self, token: str) -> None:
        self.url = ""
        self.sources: list[WhipSource] = []
        self.received: list[Received] = []
        self.reading: list[asyncio.Task[None]] = []
        self._token = token
        self.peers = Peers()
        self.app = FastAPI()
        problems.install(self.app)
        self.app.include_router(
            webrtc_router({}.__getitem__, self._admit, self._authorise, self.peers)
        )

    async def _admit(self, session: str, connection: Connection) -> None:
        assert isinstance(connection, WhipSource)
        self.sources.append(connection)
        self.received.append(Received())
        self.reading.append(asyncio.create_task(self.received[-1].read(connection)))

    def _authorise(self, connection: HTTPConnection, session: str, right: Right) -> None:
        if connection.headers.get("authorization") != f"Bearer {self._token}":
            raise Denied(403, "the token does not give the right to publish")


@contextlib.asynccontextmanager
async def studio(token: str) -> AsyncIterator[Studio]:
    made = Studio(token)
    server = uvicorn.Server(
        uvicorn.Config(made.app, port=0, log_config=None, lifespan="off", access_log=False)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{port}/sessions/s/whip"
    try:
        yield made
    finally:
        await made.peers.aclose()
        await asyncio.gather(*made.reading)
        server.should_exit = True
        await serving


@dataclass
class Asked:
    """What a server was asked.

    Attributes:
        url: where it is.
        offers: bodies of the requests, in their order.
        tokens: what they were asked with.
        left: paths of the resources that were deleted.
    """

    url: str = ""
    offers: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@contextlib.contextmanager
def answering(answer: Callable[[str], tuple[int, str]]) -> Iterator[Asked]:
    """A server that gives status and description for an offer."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *values: object) -> None: ...

        def do_POST(self) -> None:
            offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.offers.append(offer)
            asked.tokens.append(self.headers.get("Authorization"))
            status, text = answer(offer)
            self.send_response(status)
            self.send_header("Location", "resources/1")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_DELETE(self) -> None:
            asked.left.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    asked.url = f"http://127.0.0.1:{server.server_port}/whip/room?key=hush"
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
