"""The daemon: its sessions, from their creation to their last dub."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from server.access import same
from server.config import Config
from server.engines.pool import EnginePool
from server.rtmp.connection import publications
from server.rtmp.ingest import RtmpIngest
from server.sessions.gauges import gauges
from server.sessions.metrics import Metrics
from server.sessions.running import OutputMaker, RunningSession
from server.sessions.spec import PUBLISH, SessionSpec
from stream.errors import UserError
from stream.live.source import Connection

APP = "live"
"""The first part of the path that publishers use: ``rtmp://host/live/KEY``."""


class Taken(UserError):
    """A session's name or key is in use already; the message says which."""


class Daemon:
    """All sessions of one process.

    Args:
        config: checked.
        outputs: creates a session's outputs.
    """

    def __init__(self, config: Config, outputs: OutputMaker = lambda *_: ()) -> None:
        self.config = config
        self.metrics = Metrics()
        self.pool = EnginePool(self.metrics.restarted)
        self.sessions: dict[str, RunningSession] = {}
        self.ready = False
        """Whether the daemon accepts sessions."""
        self.rtmp: RtmpIngest | None = None
        self._outputs = outputs
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="livedub-")
        self.metrics.watch(lambda: gauges(self.sessions.values(), self.pool.waiting))

    async def start(self) -> None:
        """Listen for publishers and start the configured sessions.

        Raises:
            OSError: if the RTMP port cannot be listened on.
            SpecError: if a configured session is invalid.
        """
        serve = self.config.serve
        if serve.rtmp_port is not None:
            authorise = publications(APP, self.find, self.admit)
            self.rtmp = RtmpIngest(serve.host, serve.rtmp_port, authorise, self.config.rtmp)
            await self.rtmp.start()
        for values in serve.sessions:
            self.create(SessionSpec.model_validate(values))
        self.ready = True

    async def aclose(self) -> None:
        """Accept nothing new, let every session play out, then end the rest."""
        self.ready = False
        for session in self.sessions.values():
            await session.drain()
        if self.rtmp is not None:
            await self.rtmp.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self.config.serve.drain)
        for session in self.sessions.values():
            await session.stop()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.pool.aclose()
        self._folder.cleanup()

    def create(self, spec: SessionSpec) -> RunningSession:
        """Start a session.

        Raises:
            SpecError: if it cannot be created as asked.
            Taken: if its name or key is in use.
        """
        if spec.id in self.sessions:
            raise Taken(f"there is a session '{spec.id}' already")
        if self.find(spec.key) is not None:
            raise Taken("another session has that key already: choose another")
        config = spec.configured(self.config)
        folder = Path(self._folder.name) / spec.id
        folder.mkdir(exist_ok=True)
        session = RunningSession(spec, config, self.pool, self.metrics, folder, self._outputs)
        self.sessions[spec.id] = session
        task = asyncio.create_task(session.run(), name=f"session {spec.id}")
        self._tasks[spec.id] = task
        return session

    async def remove(self, id_: str, *, drain: bool = True) -> None:
        """End a session and forget it.

        Raises:
            KeyError: if there is no session of that name.
        """
        session = self.sessions[id_]
        if drain:
            await session.drain()
            await asyncio.wait({self._tasks[id_]}, timeout=self.config.serve.drain)
        await session.stop()
        task = self._tasks.pop(id_)
        if not task.done():
            await asyncio.wait({task}, timeout=5.0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        del self.sessions[id_]
        self.metrics.forget(id_)
        await asyncio.to_thread(shutil.rmtree, session.folder, ignore_errors=True)

    @property
    def running(self) -> int:
        """Sessions that have not ended."""
        return sum(not session.ended.is_set() for session in self.sessions.values())

    async def forget(self, most: int) -> None:
        """Keep the newest ``most`` of the sessions that have ended."""
        over = [id_ for id_, session in self.sessions.items() if session.ended.is_set()]
        for id_ in over[: max(0, len(over) - most)]:
            await self.remove(id_, drain=False)

    def find(self, key: str) -> str | None:
        """Name of the session that a publisher's key belongs to, in the same time for any key."""
        found = None
        for session in self.sessions.values():
            if same(key, session.key):
                found = session.id
        return found

    async def admit(self, name: str, connection: Connection) -> bool:
        """Let a publisher in, if the session waits for one.

        Raises:
            KeyError: if there is no session of that name.
        """
        session = self.sessions[name]
        if session.spec.source != PUBLISH or session.state not in ("waiting", "starting", "live"):
            return False
        return await session.points.offer(connection)
