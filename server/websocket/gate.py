"""Who may open a WebSocket, and how one is refused: always with a code and a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

from starlette.websockets import WebSocket, WebSocketDisconnect

from server.websocket.frames import (
    BAD_REQUEST,
    FORBIDDEN,
    INTERNAL,
    SUBPROTOCOL,
    ProtocolError,
    check_size,
)

_log = logging.getLogger(__name__)

Purpose = Literal["play", "publish"]

CLOSING = 2.0
"""Seconds that a peer is given to take the message that closes the connection."""


def _anyone(websocket: WebSocket, session: str, purpose: Purpose) -> None:
    """Let everybody in."""


def _any_origin(origin: str, host: str) -> bool:
    return True


def _unlimited(session: str, purpose: Purpose) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Gate:
    """The daemon's say in who connects.

    Attributes:
        authorise: raises ``ProtocolError`` (4401 or 4403) for those who may not.
        allows_origin: whether pages of an origin may connect to this host; asked only where a
            browser says one.
        admit: entered for as long as the connection lasts; raises ``ProtocolError`` (1013)
            where there are too many.
    """

    authorise: Callable[[WebSocket, str, Purpose], None] = _anyone
    allows_origin: Callable[[str, str], bool] = _any_origin
    admit: Callable[[str, Purpose], AbstractContextManager[None]] = _unlimited

    @asynccontextmanager
    async def opened(
        self, websocket: WebSocket, session: str, purpose: Purpose
    ) -> AsyncIterator[None]:
        """Accept a connection and close it afterwards, with the code of what was raised.

        A refusal comes after the handshake: a browser shows no reason for one before it.
        """
        offered = websocket.scope.get("subprotocols", [])
        try:
            await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
            try:
                if offered and SUBPROTOCOL not in offered:
                    raise ProtocolError(BAD_REQUEST, f"This server speaks {SUBPROTOCOL} only")
                origin = websocket.headers.get("origin")
                if origin is not None and not self.allows_origin(
                    origin, websocket.headers.get("host", "")
                ):
                    raise ProtocolError(FORBIDDEN, "Pages of this origin may not connect")
                self.authorise(websocket, session, purpose)
                with self.admit(session, purpose):
                    yield
            except ProtocolError as error:
                await close(websocket, error.code, error.reason)
            except WebSocketDisconnect:
                raise
            except Exception:
                _log.exception("%s of session %s failed", purpose, session)
                await close(websocket, INTERNAL, "The server made a mistake; it is in its log")
            else:
                await close(websocket, 1000, "")
        except WebSocketDisconnect:
            pass


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    """Close a connection; one that takes nothing any more is left to its transport."""
    # 123 bytes of reason is what a close frame holds.
    short = reason.encode(errors="replace")[:123].decode(errors="ignore")
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSING):
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
