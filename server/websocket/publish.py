"""``/sessions/{id}/publish``: one publisher's connection."""

from __future__ import annotations

import asyncio
import logging

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from server.access import Admit, peer_name
from server.websocket.frames import (
    BAD_REQUEST,
    MAX_MESSAGE,
    NOT_FOUND,
    SUBPROTOCOL,
    ProtocolError,
    decode_frame,
    raw_frame,
)
from server.websocket.gate import Gate, close, receive
from server.websocket.requests import EndCommand, PublishRequest, message, parse_command
from server.websocket.source import WebSocketSource
from stream.timeline import TICK_RATE

ACK_INTERVAL = TICK_RATE
"""Ticks of sound between two acknowledgements."""

_log = logging.getLogger(__name__)


def publish_router(admit: Admit, gate: Gate) -> APIRouter:
    """The endpoint that takes sound from publishers.

    Args:
        admit: lets publishers in; one is connected until the session has let go of its source.
        gate: who may publish.
    """
    router = APIRouter()

    @router.websocket("/sessions/{session}/publish")
    async def publish(websocket: WebSocket, session: str) -> None:
        async def talk() -> None:
            request = PublishRequest.parse(websocket.query_params)
            source = WebSocketSource(request.encoding)
            await websocket.send_text(
                message(
                    "hello",
                    session=session,
                    protocol=SUBPROTOCOL,
                    format=request.encoding.format,
                    rate=request.encoding.rate,
                    channels=request.encoding.channels,
                    tick_rate=TICK_RATE,
                    max_message=MAX_MESSAGE,
                )
            )
            receiving = asyncio.create_task(_receive(websocket, request, source))
            try:
                await admit(session, source)
                _log.info("a publisher came by WebSocket from %s", peer_name(websocket.client))
                await source.ended.wait()
            except KeyError:
                raise ProtocolError(NOT_FOUND, f"there is no session '{session[:40]}'") from None
            finally:
                receiving.cancel()
                await asyncio.gather(receiving, return_exceptions=True)
            await _say_end(websocket, source.position)

        await gate.serve(websocket, session, "publish", talk)

    return router


async def _receive(websocket: WebSocket, request: PublishRequest, source: WebSocketSource) -> None:
    """Hand everything to the source until the publisher leaves or says that it has ended.

    However it ends, what was received is still dubbed: the session sees a source that ends.
    """
    acknowledged = 0
    read = raw_frame if request.raw else decode_frame
    try:
        while True:
            received = await receive(websocket)
            if isinstance(received, str):
                if not isinstance(parse_command(received), EndCommand):
                    raise ProtocolError(BAD_REQUEST, "A publisher may only say that it has ended")
                return
            if not await source.push(read(received, request.encoding)):
                return
            if request.ack and source.position - acknowledged >= ACK_INTERVAL:
                acknowledged = source.position
                await websocket.send_text(message("ack", position=acknowledged))
    except ProtocolError as error:
        await close(websocket, error.code, error.reason)
    except WebSocketDisconnect:
        pass
    finally:
        await source.finish()


async def _say_end(websocket: WebSocket, position: int) -> None:
    connected = WebSocketState.CONNECTED
    if websocket.client_state == websocket.application_state == connected:
        await websocket.send_text(message("end", position=position))
