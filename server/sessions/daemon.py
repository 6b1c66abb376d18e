"""The daemon: its sessions, from their creation to their last dub."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil

from server.addresses.reach import EVERYWHERE, Reach
from server.cluster.models import ClusterModels, Standing
from server.config import Config
from server.engines.cores import usable_cores
from server.engines.pool import EnginePool
from server.limits import Clients
from server.refusals import Refusals
from server.rtmp.connection import publications
from server.rtmp.ingest import RtmpIngest
from server.sessions.capacity import Capacity, watch
from server.sessions.gauges import gauges
from server.sessions.logs import SESSION
from server.sessions.metrics import Metrics
from server.sessions.running import OutputMaker, Ports, RunningSession
from server.sessions.spec import SessionSpec, SpecError, configured_sessions, reads_file
from server.srt.ingest import SrtIngest
from server.tokens import Tokens, same
from stages.temporary import TemporaryFolder, remove_leftovers
from stream.errors import UserError, cause
from stream.live.connection import Connection
from stream.media.options import InputOptions

APP = "live"
"""The first part of the path that publishers use: ``rtmp://host/live/KEY``."""


FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
"""Wait before a session that failed starts again, doubled by every failure, up to the latter."""

STEADY_S = 120.0
"""A session that ran for so long has left its earlier failures behind."""

log = logging.getLogger(__name__)


PREFIX = "livedub-"
"""Of temporary folders, those with clips of voices among them."""


class Taken(UserError):
    """A session's name or key is in use already; the message says which."""


class Daemon:
    """All sessions of one process.

    Args:
        config: checked.
        outputs: creates a session's outputs.

    Raises:
        UserError: if there is no place for temporary files, or the file of tokens is damaged.
    """

    def __init__(self, config: Config, outputs: OutputMaker = lambda *_: ()) -> None:
        self.config = config
        self.metrics = Metrics()
        self.refusals = Refusals()
        self.tokens = Tokens(config.serve.token, config.serve.tokens, config.serve.tokens_file)
        self.cluster = ClusterModels(config) if config.cluster.kinds else None
        """Models that are not here, if any."""
        self.pool = EnginePool(self.metrics.restarted, config.serve.max_engines, self.cluster)
        self.sessions: dict[str, RunningSession] = {}
        self.ready = False
        """Whether the daemon accepts sessions."""
        self.rtmp: RtmpIngest | None = None
        self.srt: SrtIngest | None = None
        self._outputs = outputs
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._measuring: asyncio.Task[None] | None = None
        try:
            remove_leftovers(PREFIX)
            self._folder = TemporaryFolder(PREFIX)
        except OSError:
            raise UserError(
                "there is no temporary folder for the files of HLS: set TMPDIR to a writable one"
            ) from None
        self.capacity = Capacity(usable_cores())
        self.metrics.watch(
            lambda: gauges(
                self.sessions.values(), self.pool.waiting, self.capacity.carried, self.standing
            )
        )

    @property
    def standing(self) -> list[Standing]:
        """How the models do that are on a cluster."""
        return [] if self.cluster is None else self.cluster.standing

    async def start(self) -> None:
        """Listen for publishers and start the configured sessions.

        Raises:
            OSError: if the RTMP port cannot be listened on.
            SrtError: if there is no SRT here, or its port cannot be listened on.
            SpecError: if a configured session is invalid.
        """
        serve = self.config.serve
        if self.cluster is not None:
            self.cluster.start()
        if serve.rtmp_port is not None:
            authorise = publications(APP, self.find, self.admit, serve.reader, self.choice)
            clients = Clients(serve.proxies)
            self.rtmp = RtmpIngest(
                serve.host, serve.rtmp_port, authorise, self.config.rtmp, self.refusals, clients
            )
            await self.rtmp.start()
        if serve.srt_port is not None:
            self.srt = SrtIngest(
                serve.host,
                serve.srt_port,
                self.find,
                self.admit,
                self.config.srt,
                self.refusals,
                serve.reader,
                self.choice,
            )
            await self.srt.start()
        for spec in configured_sessions(serve.sessions):
            try:
                self.create(spec)
            except SpecError as error:
                raise SpecError(f"serve.sessions[{spec.id}]: {error}") from None
        self._measuring = asyncio.create_task(watch(self.capacity, self._live), name="capacity")
        self.ready = True

    def _live(self) -> int:
        return sum(session.state in ("live", "draining") for session in self.sessions.values())

    async def aclose(self) -> None:
        """Accept nothing new, let every session play out, then end the rest."""
        self.ready = False
        for session in self.sessions.values():
            await session.drain()
        if self.rtmp is not None:
            await self.rtmp.aclose()
        if self.srt is not None:
            await self.srt.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self.config.serve.drain)
        for session in self.sessions.values():
            await session.stop()
        ending = [*self._tasks.values(), *filter(None, [self._measuring])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self.pool.aclose()
        if self.cluster is not None:
            await self.cluster.aclose()
        self._folder.close()

    def create(self, spec: SessionSpec, reach: Reach = EVERYWHERE) -> RunningSession:
        """Start a session.

        Args:
            spec: what is asked for; see ``Terms`` where it is not the operator who asks.
            reach: where it may connect to.

        Raises:
            SpecError: if it cannot be created as asked.
            Taken: if its name or key is in use.
        """
        if spec.id in self.sessions:
            raise Taken(f"there is a session '{spec.id}' already")
        if self.find(spec.key) is not None:
            raise Taken("another session has that key already: choose another")
        config = spec.configured(self.config)
        session = self._made(spec, config, reach)
        task = asyncio.create_task(self._keep(session, config, reach), name=f"session {spec.id}")
        self._tasks[spec.id] = task
        return session

    def _made(
        self, spec: SessionSpec, config: Config, reach: Reach, restarts: int = 0
    ) -> RunningSession:
        folder = self._folder.path / spec.id
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
        except OSError as error:
            raise SpecError(f"the session's HLS cannot be written: {cause(error)}") from None
        session = self.sessions[spec.id] = RunningSession(
            spec,
            config,
            self.pool,
            self.metrics,
            folder,
            self._outputs,
            reach=reach,
            restarts=restarts,
            ports=Ports(
                self.rtmp.port if self.rtmp is not None else None,
                self.srt.port if self.srt is not None else None,
            ),
        )
        return session

    async def _keep(self, session: RunningSession, config: Config, reach: Reach) -> None:
        """Run a session, and again after every failure, until it ends or is ended.

        A file is read once, as it was asked for: what is left of it is not known.
        """
        spec, pause = session.spec, FIRST_PAUSE_S
        now = asyncio.get_running_loop().time
        while True:
            began = now()
            await session.run()
            if session.error is None or session.dismissed.is_set() or reads_file(spec.source):
                return
            if now() - began > STEADY_S:
                pause = FIRST_PAUSE_S
            session.restart_at = now() + pause
            log.warning("session %s starts again in %.0f s", spec.id, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(session.dismissed.wait(), pause)
                session.restart_at = None
                return
            pause = min(2 * pause, LONGEST_PAUSE_S)
            try:
                session = self._made(session.spec, config, reach, session.restarts + 1)
            except Exception as error:
                session.error, session.restart_at = cause(error), None
                log.exception("session %s cannot be started again", spec.id)
                return

    async def remove(self, id_: str, *, drain: bool = True) -> None:
        """End a session and forget it.

        Raises:
            KeyError: if there is no session of that name.
        """
        session, task = self.sessions[id_], self._tasks.get(id_)
        if task is None:
            return  # somebody else is about to forget it
        if drain:
            await session.drain()
            await asyncio.wait({task}, timeout=self.config.serve.drain)
        await session.stop()
        if self._tasks.get(id_) is not task:
            return
        del self._tasks[id_]
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
        return sum(not task.done() for task in self._tasks.values())

    async def forget(self, most: int) -> None:
        """Keep the newest ``most`` of the sessions that have ended."""
        over = [id_ for id_, task in self._tasks.items() if task.done()]
        for id_ in over[: max(0, len(over) - most)]:
            await self.remove(id_, drain=False)

    def find(self, key: str) -> str | None:
        """Name of the session that a publisher's key belongs to, in the same time for any key."""
        found = None
        for session in self.sessions.values():
            if same(key, session.key):
                found = session.id
        return found

    def choice(self, name: str) -> tuple[InputOptions, str | None]:
        """Which sound of its publishers a session dubs, and its language; see ``Choose``."""
        return self.sessions[name].choice

    async def admit(self, name: str, connection: Connection) -> None:
        """Let a publisher in, if the session waits for one.

        Raises:
            KeyError: if there is no session of that name.
            Problem: with the reason, if it takes none now.
        """
        session = self.sessions[name]
        SESSION.set(name)  # for what else is logged of the publisher
        await session.admit(connection)
