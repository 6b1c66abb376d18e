"""``/sessions/{id}/listen``: one listener's connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import asdict, replace
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.websocket.encode import SentFrame
from server.websocket.frames import (
    BAD_REQUEST,
    INTERNAL,
    TOO_SLOW,
    UNSUPPORTED,
    ProtocolError,
    discontinuous,
)
from server.websocket.gate import Gate, receive
from server.websocket.programme import Programme, Programmes, going_away
from server.websocket.rendition import Rendition
from server.websocket.requests import NO_SOUND, ListenRequest, TrackCommand, message, parse_command
from stream.flow.broadcast import Subscription
from stream.timeline import TICK_RATE

_T = TypeVar("_T")

STUCK_S = 10.0
"""Seconds without any progress after which a listener is dropped."""

TIME_INTERVAL_S = 1.0
"""Seconds after which those who receive no frames are told the time."""

AHEAD = TICK_RATE
"""Ticks by which a listener may have been sent more than is due by the clock."""


def listen_router(programmes: Programmes, gate: Gate, *, stuck: float = STUCK_S) -> APIRouter:
    """The endpoint that sends sound and events to listeners.

    Args:
        programmes: what is on; closed by its owner when the server stops.
        gate: who may listen.
        stuck: seconds without progress after which a listener is given up.
    """
    router = APIRouter()

    @router.websocket("/sessions/{session}/listen")
    async def listen(websocket: WebSocket, session: str) -> None:
        async def talk() -> None:
            request = ListenRequest.parse(websocket.query_params)
            programme = programmes.find(session)
            listener = _Listener(websocket, session, programme, request, stuck)
            # Whoever takes events alone hears by another way, if at all.
            hears = request.encoding is not None
            programme.feed.viewers += hears
            try:
                with _first_error():
                    await listener.run()
            finally:
                programme.feed.viewers -= hears
            if programmes.closing:
                raise going_away()
            await listener.say("end", position=listener.at)

        await gate.serve(websocket, session, "play", talk)

    return router


class _Listener:
    """One connection, from hello to the end of its feed.

    Attributes:
        at: media time just after the last sample that was sent, ticks; ``None`` before any.
    """

    def __init__(
        self,
        websocket: WebSocket,
        session: str,
        programme: Programme,
        request: ListenRequest,
        stuck: float,
    ) -> None:
        encoding = request.encoding
        if encoding is not None and not encoding.channels:
            encoding = replace(encoding, channels=min(programme.feed.channels, 2))
        self.at: int | None = None
        comparable = request.feed in (None, programme.id)
        if request.start is not None and comparable:
            # Nobody can have stopped at a time that is still to come.
            ahead = request.start - programme.position
            self.at = request.start if ahead <= AHEAD else None
        self._websocket = websocket
        self._session = session
        self._programme = programme
        self._encoding = encoding
        self._wants_events = request.events
        self._stuck = stuck
        self._track = request.track or programme.default_track()
        self._switch = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sending = 0  # messages that wait for the transport, and since when
        self._since = 0.0

    async def run(self) -> None:
        """Send until the feed ends.

        Raises:
            ProtocolError: if the client breaks the protocol or takes nothing any more.
            WebSocketDisconnect: if it has gone.
        """
        encoding = self._encoding
        # What can be refused comes first.
        if encoding is None:
            self._programme.check(self._track)
            await self._hello({"format": NO_SOUND})
            sound = self._send_time()
        else:
            rendition = self._programme.rendition(self._track, encoding)
            past, frames = rendition.join(self.at)
            try:
                await self._hello(asdict(encoding))
            except BaseException:
                rendition.leave(frames)
                raise
            sound = self._send_sound(rendition, past, frames)
        async with asyncio.TaskGroup() as group:
            asides = [group.create_task(self._receive()), group.create_task(self._watch())]
            events = group.create_task(self._send_events())
            await sound
            await events
            for aside in asides:
                aside.cancel()

    async def _hello(self, encoding: dict[str, Any]) -> None:
        feed = self._programme.feed
        await self.say(
            "hello",
            session=self._session,
            feed=self._programme.id,
            track=self._track,
            tracks=list(feed.tracks),
            voices=list(feed.voices),
            language=feed.language,
            **encoding,
            tick_rate=TICK_RATE,
            position=self._programme.position,
        )

    async def say(self, type_: str, **fields: object) -> None:
        """Send a JSON message."""
        await self._send(message(type_, **fields))

    async def _send_time(self) -> None:
        """What a listener without frames has no other way to know, until the feed ends."""
        ended = self._programme.ended
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), TIME_INTERVAL_S)
                break
            await self.say("time", position=self._programme.position)
        self.at = self._programme.position

    async def _send_sound(
        self, rendition: Rendition, past: list[SentFrame], frames: Subscription[SentFrame]
    ) -> None:
        begins = self.at is None
        try:
            while True:
                async with contextlib.aclosing(_both(past, frames)) as sound:
                    async for frame in sound:
                        await self._send_frame(frame, begins)
                        begins = False
                        if self._switch.is_set():
                            break
                    else:
                        if rendition.failed:
                            raise ProtocolError(INTERNAL, "Encoding failed; see the server's log")
                        return
                    self._switch.clear()
                    new, past, new_frames = await self._switch_over(sound)
                rendition.leave(frames)
                rendition, frames, begins = new, new_frames, True
        finally:
            rendition.leave(frames)

    async def _send_frame(self, frame: SentFrame, begins: bool) -> None:
        if self.at is not None and frame.start > self.at:
            await self.say("gap", start=self.at, end=frame.start)
            begins = True
        await self._send(discontinuous(frame.message) if begins else frame.message)
        self.at = frame.end

    async def _switch_over(
        self, old: AsyncIterator[SentFrame]
    ) -> tuple[Rendition, list[SentFrame], Subscription[SentFrame]]:
        """Go on in another track where this one is, without losing a sample."""
        track = self._track
        assert self._encoding is not None
        new = self._programme.rendition(track, self._encoding)
        past, frames = new.join(self.at)
        try:
            assert self.at is not None
            # Encoders are not in step. One that lags repeats what was heard in the old track ...
            while not past and (first := await anext(frames, None)) is not None:
                past = [first] if first.end > self.at else []
            # ... and one that has just been started begins later: the old track fills in.
            while past and self.at < past[0].start and (frame := await anext(old, None)):
                if frame.end > past[0].start:
                    break
                await self._send_frame(frame, begins=False)
            await self.say("track", track=track, position=self.at)
        except BaseException:
            new.leave(frames)
            raise
        return new, past, frames

    async def _send_events(self) -> None:
        if not self._wants_events:
            return
        position = self._programme.position if self.at is None else self.at
        past, events = self._programme.join_events(position)
        try:
            async with contextlib.aclosing(_both(past, events)) as shown:
                async for event in shown:
                    await self._send(event)
        finally:
            events.close()

    async def _receive(self) -> None:
        while True:
            received = await receive(self._websocket)
            if isinstance(received, bytes):
                raise ProtocolError(UNSUPPORTED, "A listener sends JSON messages only")
            command = parse_command(received)
            if not isinstance(command, TrackCommand):
                raise ProtocolError(BAD_REQUEST, "A listener may only change its track")
            if self._encoding is None:
                raise ProtocolError(BAD_REQUEST, "There is no track to change where none is sent")
            self._programme.check(command.track)
            self._track = command.track
            self._switch.set()

    async def _send(self, sent: str | bytes) -> None:
        kind = "text" if isinstance(sent, str) else "bytes"
        if not self._sending:
            self._since = self._loop.time()
        self._sending += 1
        await self._websocket.send({"type": "websocket.send", kind: sent})
        self._sending -= 1
        self._since = self._loop.time()

    async def _watch(self) -> None:
        """Drop a listener that takes nothing; cheaper than a timeout for every frame."""
        while True:
            await asyncio.sleep(self._stuck / 4)
            if self._sending and self._loop.time() - self._since > self._stuck:
                raise ProtocolError(TOO_SLOW, f"Nothing was read for {self._stuck:g} s")


async def _both(past: list[_T], future: Subscription[_T]) -> AsyncGenerator[_T, None]:
    """What was already there, then what comes."""
    for item in past:
        yield item
        await asyncio.sleep(0)  # a long history must not keep the loop from others
    async for item in future:
        yield item


@contextlib.contextmanager
def _first_error() -> Iterator[None]:
    """Raise the error that ended a task group, rather than the group."""
    try:
        yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            # What was refused says more than that the client has gone meanwhile.
            error = min(error.exceptions, key=lambda e: isinstance(e, WebSocketDisconnect))
        raise error from None
