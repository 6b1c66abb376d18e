"""The daemon with scripted engines behind a real HTTP server, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading

from server.commands.serve import HttpServer
from server.config import load
from server.http.doors import Doors
from server.outputs.make import outputs
from server.sessions.daemon import APP, Daemon
from tests.helpers.scripted import ScriptedPool


class LiveServer:
    """Runs until ``close``.

    Attributes:
        url: where it answers.
        rtmp: where publishers go, up to their key; with ``serve.rtmp_port=0`` among the settings.
        errors: what the loop was told of that nobody caught.
    """

    def __init__(self, *settings: str, pool: type[ScriptedPool] = ScriptedPool) -> None:
        self._settings = ("serve.rtmp_port=null", "serve.drain=1", *settings)
        self._pool = pool
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.rtmp = ""
        self.errors: list[str] = []
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def close(self) -> None:
        """End the daemon, then the server."""
        assert self._loop is not None and self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda loop, context: self.errors.append(str(context)))
        daemon = Daemon(load(assignments=self._settings, environment={}), outputs)
        daemon.pool = self._pool(on_restart=daemon.metrics.restarted)
        await daemon.start()
        if daemon.rtmp is not None:
            self.rtmp = f"rtmp://127.0.0.1:{daemon.rtmp.port}/{APP}"
        doors = Doors(daemon)
        server = HttpServer(daemon, doors)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        self._ready.set()
        await self._stop.wait()
        await daemon.aclose()
        await doors.aclose()
        server.should_exit = True
        await serving
