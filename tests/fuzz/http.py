"""The HTTP server of a daemon, without a socket: bytes into its protocol, as uvicorn feeds it."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from server.config import load
from server.http.app import create_app
from server.http.doors import Doors
from server.http.transport import Connections, LiveHttpProtocol
from server.limits import Clients, Places
from server.outputs.make import outputs
from server.sessions.daemon import Daemon
from server.websocket.transport import LiveWebSocketProtocol
from tests.helpers.scripted import ScriptedPool

PASSES = 40
"""Of the event loop, in which most requests are answered."""


class _Wire(asyncio.Transport):
    """Keeps what is answered, and forgets the connection when it is closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 80)})
        self.written = bytearray()
        self.closed = False
        self._protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.get_protocol().connection_lost, None)

    abort = close

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class _Served:
    """A daemon that is never closed: the process ends with it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.faults: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.faults.append(str(context)))
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        settings = ("serve.rtmp_port=null", "serve.drain=0", "serve.sessions=[{id: live}]")
        self._daemon = Daemon(load(assignments=settings, environment={}), outputs)
        self._daemon.pool = ScriptedPool(on_restart=self._daemon.metrics.restarted)
        doors = Doors(self._daemon)
        await self._daemon.start()
        places = Places(1000, 1000, Clients([]))
        protocol = functools.partial(LiveHttpProtocol, connections=Connections(places))
        self._config = uvicorn.Config(
            create_app(self._daemon, doors.routers),
            http=cast(type[asyncio.Protocol], protocol),
            ws=LiveWebSocketProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        self._config.load()
        self._state = ServerState()

    async def take(self, data: bytes) -> bytes:
        """What is answered."""
        wire = _Wire()
        made: Any = self._config.http_protocol_class
        protocol = made(config=self._config, server_state=self._state, app_state={})
        wire.set_protocol(protocol)
        protocol.connection_made(wire)
        for at in range(0, len(data), 400):
            if not wire.closed:
                cast(asyncio.Protocol, wire.get_protocol()).data_received(data[at : at + 400])
            await asyncio.sleep(0)
        for _ in range(PASSES):
            await asyncio.sleep(0)
        wire.close()
        await asyncio.sleep(0)
        for name in [name for name in self._daemon.sessions if name != "live"]:
            await self._daemon.remove(name)
        return bytes(wire.written)


@functools.cache
def _served() -> _Served:
    return _Served()


def http(data: bytes) -> None:
    served = _served()
    answered = served.loop.run_until_complete(served.take(data))
    assert not served.faults, served.faults
    assert b"HTTP/1.1 5" not in answered or b"HTTP/1.1 503" in answered, answered[:400]
