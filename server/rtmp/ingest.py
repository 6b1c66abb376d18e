"""RTMP ingest: encoders such as OBS and FFmpeg publish to this server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import annotated_types as at

from server.access import peer_name, wrong
from server.limits import Clients
from server.problems import Problem
from server.refusals import Refusals
from server.rtmp.chunks import RtmpError
from server.rtmp.commands import End, Publish
from server.rtmp.protocol import Event, Media, RtmpProtocol

_log = logging.getLogger(__name__)

READ_BYTES = 16 << 10
"""Bytes taken from a connection at a time."""

LINGER_S = 1.0
"""Seconds that a publisher is given to read why it was refused."""

SECOND_LOOK_S = 0.5
"""Seconds for which media is waited for once more: where this process was stopped, its deadlines
are over before it has read what came meanwhile."""

WAITING_PER_ADDRESS = 8
"""Connections from one address that have not shown a key."""


class Publication(Protocol):
    """Where a stream goes that was let in."""

    async def write(self, flv: bytes) -> None:
        """Take the next bytes of the FLV stream; the publisher is held up meanwhile.

        Raises:
            OSError: if they are not wanted any more; the publisher is disconnected.
        """

    async def divide(self) -> None:
        """Another FLV stream begins, since what is published has changed."""

    async def end(self) -> None:
        """The publisher is gone; called once and always."""


Patience = Annotated[float, at.Gt(0), at.Le(600)]

Authorise = Callable[[str, str], Awaitable[Publication]]
"""Who may publish: from app and key to where the stream goes; raises ``Problem`` to refuse it."""


@dataclass(frozen=True, slots=True)
class RtmpOptions:
    """How patient the server is; what the configuration's ``rtmp`` section holds.

    Attributes:
        handshake: seconds from connecting to the end of the handshake.
        publish: seconds from connecting to the request to publish.
        idle: seconds without media after which a publisher is disconnected.
        silent: seconds without a byte after which another publisher may take over the key.
        connections: open at the same time that have not shown a key; the oldest makes way.
    """

    __pydantic_config__ = {"extra": "forbid"}

    handshake: Patience = 5.0
    publish: Patience = 10.0
    idle: Patience = 15.0
    silent: Patience = 3.0
    connections: Annotated[int, at.Ge(1), at.Le(10_000)] = 32


class RtmpIngest:
    """An RTMP server for publishers at ``rtmp://host:port/APP/KEY``.

    Args:
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        authorise: asked for every publisher; comparing keys in constant time is its part.
        options: see ``RtmpOptions``.
        refusals: told of who is turned away.
        clients: tells them apart.
    """

    def __init__(
        self,
        host: str,
        port: int,
        authorise: Authorise,
        options: RtmpOptions | None = None,
        refusals: Refusals | None = None,
        clients: Clients | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._authorise = authorise
        self._options = options or RtmpOptions()
        self._server: asyncio.Server | None = None
        self._refusals = refusals or Refusals()
        self._clients = clients or Clients()
        self._connections: set[asyncio.Task[None]] = set()
        self._waiting: dict[asyncio.Task[None], _Wire] = {}
        """Those that have not shown a valid key, the oldest first."""
        self._publishers: dict[tuple[str, str], _Publisher] = {}
        self._closing = False

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def publishers(self) -> int:
        """How many streams are being published, or about to be."""
        return len(self._publishers)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: if the address cannot be listened on.
        """
        self._server = await asyncio.start_server(
            self._connected, self._host, self._port, limit=READ_BYTES
        )

    async def aclose(self) -> None:
        """Stop reading and disconnect everyone; every publication is ended."""
        if self._server is None:
            return
        self._closing = True
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closing:
            writer.transport.abort()
            return
        wire = _Wire(reader, writer)
        self._make_way(wire)
        task = asyncio.create_task(self._serve(wire))
        self._connections.add(task)
        self._waiting[task] = wire
        task.add_done_callback(self._forget)

    def _make_way(self, wire: _Wire) -> None:
        """Who has shown no key for longest goes: an encoder does so at once."""
        client = self._clients.tell(wire.host)
        same = [t for t, w in self._waiting.items() if self._clients.tell(w.host) == client]
        if client is not None and len(same) >= WAITING_PER_ADDRESS:
            oldest = same[0]
        elif len(self._waiting) >= self._options.connections:
            oldest = next(iter(self._waiting))
        else:
            return
        gone = self._waiting.pop(oldest)
        self._refusals.note(gone.host, "an RTMP connection without a key made way for others")
        gone.abort()
        oldest.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        self._waiting.pop(task, None)

    async def _serve(self, wire: _Wire) -> None:
        try:
            publish = await self._negotiate(wire)
            await self._admit(wire, publish)
            await wire.finish()
        except (RtmpError, OSError) as error:
            _log.info("the RTMP connection from %s ended: %s", wire.peer, error)
        except Exception:
            _log.exception("the RTMP connection from %s failed", wire.peer)
        finally:
            wire.abort()

    async def _negotiate(self, wire: _Wire) -> Publish:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._options.handshake) as deadline:
                while True:
                    for event in await wire.receive():
                        if isinstance(event, Publish):
                            return event
                    if wire.protocol.handshaken:
                        deadline.reschedule(began + self._options.publish)
        except TimeoutError as error:
            raise RtmpError("it did not publish in time") from error

    async def _admit(self, wire: _Wire, publish: Publish) -> None:
        name = publish.app, publish.key
        while (earlier := self._publishers.get(name)) is not None:
            if earlier.dead(self._options.silent):
                earlier.task.cancel()
            elif not earlier.ending:
                await self._refuse(wire, Problem(409, "this stream is being published already"))
                return
            await earlier.gone.wait()
        task = asyncio.current_task()
        assert task is not None
        publisher = self._publishers[name] = _Publisher(task, wire)
        try:
            self._waiting.pop(task, None)  # while it is decided, it makes way for nobody
            try:
                publication = await self._authorise(*name)
            except Problem as problem:
                self._waiting[task] = wire
                await self._refuse(wire, problem)
                return
            _log.info("a publisher came by RTMP from %s", wire.peer)
            try:
                await self._carry(publisher, publication)
            finally:
                publisher.ending = True
                await publication.end()
        finally:
            del self._publishers[name]
            publisher.gone.set()

    async def _refuse(self, wire: _Wire, problem: Problem) -> None:
        reason = problem.detail
        if wrong(problem):
            await self._refusals.wrong(wire.host, "RTMP")
        else:
            self._refusals.note(wire.host, f"an RTMP publisher was refused: {reason}")
        wire.refuse(f"{reason[0].upper()}{reason[1:]}.")

    async def _carry(self, publisher: _Publisher, publication: Publication) -> None:
        events = publisher.wire.accept()
        while True:
            flv = bytearray()
            for event in (event for event in events if isinstance(event, Media)):
                if event.begins:
                    await publication.write(bytes(flv))
                    await publication.divide()
                    flv.clear()
                flv += event.flv
            if flv:
                await publication.write(bytes(flv))
            if any(isinstance(event, End) for event in events):
                return
            publisher.reading = True
            try:
                events = await self._next_events(publisher.wire)
            finally:
                publisher.reading = False

    async def _next_events(self, wire: _Wire) -> list[Event]:
        for patience in (self._options.idle, SECOND_LOOK_S):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    while True:
                        if events := await wire.receive():
                            return events
        raise RtmpError(f"no media came for {self._options.idle:g} s")


class _Wire:
    """A connection and its protocol."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.protocol = RtmpProtocol()
        self.last_received = asyncio.get_running_loop().time()
        address = writer.get_extra_info("peername")
        self.peer = peer_name(address)
        self.host = str(address[0]) if isinstance(address, tuple) and address else None

    async def receive(self) -> list[Event]:
        """What follows from the next bytes; may be nothing."""
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise ConnectionResetError("the peer hung up")
        self.last_received = asyncio.get_running_loop().time()
        self.protocol.receive_data(data)
        self._send()
        await self._writer.drain()
        return self.protocol.events_received()

    def accept(self) -> list[Event]:
        """Let the peer publish."""
        self.protocol.accept()
        self._send()
        return self.protocol.events_received()

    def refuse(self, description: str) -> None:
        """Turn the peer down."""
        self.protocol.refuse(description)
        self._send()

    async def finish(self) -> None:
        """Close so that what was sent arrives: a peer that is still sending would lose it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                self._writer.write_eof()
                while await self._reader.read(READ_BYTES):
                    pass

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    def _send(self) -> None:
        if data := self.protocol.data_to_send():
            self._writer.write(data)


@dataclass(slots=True)
class _Publisher:
    """Who holds a key."""

    task: asyncio.Task[None]
    wire: _Wire
    reading: bool = False
    ending: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def dead(self, silent: float) -> bool:
        """Whether nothing arrived for ``silent`` seconds, though we were reading."""
        silence = asyncio.get_running_loop().time() - self.wire.last_received
        return self.reading and silence > silent
