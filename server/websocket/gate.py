"""Who may open a WebSocket, and how one is refused: always with a code and a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.access import Authorise, wrong
from server.limits import Places
from server.problems import Problem
from server.refusals import Refusals
from server.tokens import Right
from server.websocket.frames import (
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    INTERNAL,
    NOT_FOUND,
    SUBPROTOCOL,
    TRY_LATER,
    UNAUTHENTICATED,
    ProtocolError,
    check_size,
)

_log = logging.getLogger(__name__)

CODES = {
    400: BAD_REQUEST,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: CONFLICT,
    503: TRY_LATER,
}
"""Close codes of refusals that any door may make, by their HTTP status."""

CLOSE_TIMEOUT_S = 2.0
"""Seconds that a peer is given to take the message that closes the connection."""


def _anyone(connection: HTTPConnection, session: str, right: Right) -> None:
    """Let everybody in."""


class Gate:
    """Who may connect.

    Args:
        authorise: asked for every connection.
        origins: those whose pages may connect, besides our own.
        places: how many may listen, and how many publish; 200 of each unless given.
        refusals: told of wrong keys.
    """

    def __init__(
        self,
        authorise: Authorise = _anyone,
        origins: Collection[str] = (),
        places: Mapping[Right, Places] | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._authorise = authorise
        self._origins = origins
        self._places = places or {"play": Places(200), "publish": Places(200)}
        self._refusals = refusals or Refusals()

    async def serve(
        self, websocket: WebSocket, session: str, right: Right, talk: Callable[[], Awaitable[None]]
    ) -> None:
        """Accept a connection, talk, and close it with the code of what was raised.

        A refusal comes after the handshake: a browser shows no reason for one before it.
        """
        offered = websocket.scope.get("subprotocols", [])
        with contextlib.suppress(WebSocketDisconnect):
            # Never the one that is a token: it would be said aloud once more.
            await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
            code, reason = await self._talk(websocket, session, right, talk)
            await close(websocket, code, reason)

    async def _talk(
        self, websocket: WebSocket, session: str, right: Right, talk: Callable[[], Awaitable[None]]
    ) -> tuple[int, str]:
        """How it ended: close code and reason."""
        host = websocket.client.host if websocket.client else None
        offered = websocket.scope.get("subprotocols", [])
        try:
            if offered and SUBPROTOCOL not in offered:
                raise ProtocolError(BAD_REQUEST, f"This server speaks {SUBPROTOCOL} only")
            self._check(websocket, session, right)
            give_back = self._places[right].take(host)
            try:
                await talk()
            finally:
                give_back()
        except ProtocolError as error:
            return error.code, error.reason
        except Problem as problem:
            if wrong(problem):
                await self._refusals.wrong(host, websocket.url.path)
            return CODES.get(problem.status, INTERNAL), problem.detail
        except WebSocketDisconnect:
            raise
        except Exception:
            _log.exception("%s of session %s failed", right, session)
            return INTERNAL, "The server made a mistake; it is in its log"
        return 1000, ""

    def _check(self, websocket: WebSocket, session: str, right: Right) -> None:
        origin = websocket.headers.get("origin")  # said by browsers alone
        if origin is not None and origin not in self._origins and not _ours(websocket, origin):
            raise ProtocolError(FORBIDDEN, "Pages of this origin may not connect")
        self._authorise(websocket, session, right)


def _ours(websocket: WebSocket, origin: str) -> bool:
    """Whether a page comes from where the connection leads, as its browser or a proxy names it."""
    scheme, _, netloc = origin.partition("://")
    page = _place(netloc)
    hosts = [websocket.headers.get(name, "") for name in ("host", "x-forwarded-host")]
    port = {"http": 80, "https": 443}.get(scheme)
    return page[0] is not None and any(
        (host, at or port) == (page[0], page[1] or port) for host, at in map(_place, hosts)
    )


def _place(netloc: str) -> tuple[str | None, int | None]:
    """Host and port; neither of what is no address."""
    try:
        parts = urlsplit(f"//{netloc}")
        return parts.hostname, parts.port
    except ValueError:
        return None, None


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    """Close a connection; one that takes nothing any more is left to its transport."""
    # 123 bytes of reason is what a close frame holds.
    short = reason.encode(errors="replace")[:123].decode(errors="ignore")
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await websocket.close(code, short)


async def receive(websocket: WebSocket) -> str | bytes:
    """The next message.

    Raises:
        WebSocketDisconnect: if the client has gone.
        ProtocolError: if the message is too long.
    """
    received = await websocket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1005), received.get("reason"))
    text = received.get("text")
    message: str | bytes = received["bytes"] if text is None else text
    check_size(message)
    return message
