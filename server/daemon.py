"""The daemon: its sessions, from their creation to their last dub."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal, Protocol

from prometheus_client.core import GaugeMetricFamily

from server.access import same
from server.config import Config
from server.connections import FlvConnection, PublishPoint, Pull
from server.engine_pool import EnginePool
from server.live import LiveSession
from server.logs import SESSION
from server.metrics import Metrics, gauge
from server.rtmp import Publication, RtmpIngest
from server.spec import PUBLISH, SessionSpec
from stages.base import EngineError
from stream.byte_pipe import BytePipe
from stream.clock import PlayoutClock
from stream.feed import Feed
from stream.live_source import Connection, LiveSource
from stream.timeline import seconds

APP = "live"
"""The first part of the path that publishers use: ``rtmp://host/live/KEY``."""

State = Literal["starting", "waiting", "live", "draining", "ended", "failed"]

log = logging.getLogger(__name__)


class Output(Protocol):
    """Where a feed goes beside its viewers."""

    async def run(self) -> None:
        """Carry the feed until it ends or ``aclose``."""

    async def aclose(self) -> None:
        """Finish what was begun."""


class Taken(ValueError):
    """A session's name or key is another's; the message says which."""


OutputMaker = Callable[["RunningSession"], Iterable[Output]]


class RunningSession:
    """A session of the daemon: what was asked for, and what it is doing.

    Args:
        spec: as asked for.
        config: with the session's own settings.
        pool: of engines.
        metrics: to tell about utterances.
        folder: where its HLS goes; it exists.
    """

    def __init__(
        self, spec: SessionSpec, config: Config, pool: EnginePool, metrics: Metrics, folder: Path
    ) -> None:
        self.spec = spec
        self.id = spec.id
        self.key = spec.key
        self.play_token = spec.play_token
        self.folder = folder
        self.recordings = config.serve.recordings
        self.targets = tuple(spec.targets) or (config.target,)
        self.error: str | None = None
        self.points = PublishPoint()
        self.ended = asyncio.Event()
        self._draining = False
        clock = PlayoutClock(config.playout.delay)
        pulled = Pull(spec.source) if spec.source != PUBLISH else None
        connect = self.points.connect if pulled is None else pulled.connect
        self.source = LiveSource(connect, clock)
        serve = config.serve
        self.live = LiveSession(
            spec.id,
            config,
            self.targets,
            self.source,
            clock,
            pool,
            bounds=(serve.min_delay, serve.max_delay) if spec.delay == "auto" else None,
            on_stage=lambda stage, track, job: metrics.stage(spec.id, stage, track, job),
        )

    @property
    def feed(self) -> Feed:
        """What viewers get."""
        return self.live.feed

    @property
    def state(self) -> State:
        """What it is doing."""
        if self.error is not None:
            return "failed"
        if self.ended.is_set():
            return "ended"
        if self._draining:
            return "draining"
        if not self.live.ready:
            return "starting"
        return "live" if self.source.connected else "waiting"

    async def run(self, outputs: Iterable[Output]) -> None:
        """Dub until the source ends; a fault ends this session alone."""
        SESSION.set(self.id)
        async with AsyncExitStack() as stack:
            tasks = []
            for output in outputs:
                stack.push_async_callback(output.aclose)
                tasks.append(asyncio.create_task(self._carry(output)))
            try:
                await self.live.run()
            except EngineError as error:
                self.error = str(error)
                log.error("session %s: %s", self.id, error)
            except Exception as error:
                self.error = f"the session broke down: {type(error).__name__}"
                log.exception("session %s broke down", self.id)
            finally:
                await asyncio.gather(*tasks, return_exceptions=True)
                self.ended.set()

    async def drain(self) -> None:
        """Let what has come be dubbed and played, and end."""
        self._draining = True
        await self.live.drain()

    async def stop(self) -> None:
        """End at once."""
        await self.live.stop()

    def describe(self) -> dict[str, object]:
        """What the API shows; no secrets."""
        live = self.live
        return {
            "id": self.id,
            "state": self.state,
            "error": self.error,
            "source": "publish" if self.spec.source == PUBLISH else "pull",
            "language": self.feed.language,
            "tracks": list(self.feed.tracks),
            "connected": self.source.connected,
            "connections": self.source.connections,
            "position": live.position,
            "position_s": round(seconds(live.position), 3),
            "delay_s": round(live.clock.behind, 3),
            "hls": self.spec.hls,
            "protected": self.play_token is not None,
            "viewers": self.viewers,
            "dubs": {
                track: {fate.value: n for fate, n in counts.fates.items()}
                | {"on_time_rate": counts.on_time_rate}
                for track, counts in live.counts.items()
            },
        }

    @property
    def viewers(self) -> int:
        """Readers of its sound."""
        return sum(track.readers for track in self.feed.tracks.values())

    async def _carry(self, output: Output) -> None:
        try:
            await output.run()
        except Exception:
            log.exception("session %s: an output ended", self.id)


class Daemon:
    """All sessions of one process.

    Args:
        config: checked.
        outputs: makes what a session feeds beside its viewers.
    """

    def __init__(self, config: Config, outputs: OutputMaker = lambda session: ()) -> None:
        self.config = config
        self.metrics = Metrics()
        self.pool = EnginePool(self.metrics.restarted)
        self.sessions: dict[str, RunningSession] = {}
        self.ready = False
        """Whether the daemon takes sessions."""
        self.rtmp: RtmpIngest | None = None
        self._outputs = outputs
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="livedub-")
        self.metrics.watch(self._gauges)

    async def start(self) -> None:
        """Listen for publishers and start the configured sessions.

        Raises:
            OSError: if the RTMP port cannot be listened on.
            SpecError: if a configured session cannot be.
        """
        serve = self.config.serve
        if serve.rtmp_port is not None:
            self.rtmp = RtmpIngest(serve.host, serve.rtmp_port, self._publisher)
            await self.rtmp.start()
        for values in serve.sessions:
            self.create(SessionSpec.model_validate(values))
        self.ready = True

    async def aclose(self) -> None:
        """Take nothing new, let every session play out, then end what is left."""
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
            SpecError: if it cannot be as asked.
            Taken: if there is one of that name or key.
        """
        if spec.id in self.sessions:
            raise Taken(f"there is a session '{spec.id}' already")
        if self.find(spec.key) is not None:
            raise Taken("another session has that key already: choose another")
        config = spec.configured(self.config)
        folder = Path(self._folder.name) / spec.id
        folder.mkdir(exist_ok=True)
        session = RunningSession(spec, config, self.pool, self.metrics, folder)
        self.sessions[spec.id] = session
        task = asyncio.create_task(session.run(self._outputs(session)), name=f"session {spec.id}")
        self._tasks[spec.id] = task
        return session

    async def remove(self, id_: str, *, drain: bool = True) -> None:
        """End a session and forget it.

        Raises:
            KeyError: if there is none of that name.
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

    def find(self, key: str) -> RunningSession | None:
        """The session that a publisher's key belongs to; takes as long for any key."""
        found = None
        for session in self.sessions.values():
            if same(key, session.key):
                found = session
        return found

    async def admit(self, session: RunningSession, connection: Connection) -> bool:
        """Let a publisher in, if the session waits for one."""
        if session.spec.source != PUBLISH or session.state not in ("waiting", "starting", "live"):
            return False
        return await session.points.offer(connection)

    async def _publisher(self, app: str, key: str) -> Publication | None:
        session = self.find(key)
        if session is None or app != APP:
            return None
        connection = FlvConnection(f"RTMP to session {session.id}")
        if not await self.admit(session, connection):
            return None
        log.info("session %s: a publisher came by RTMP", session.id)
        pipe: BytePipe = connection.pipe
        return pipe

    def _gauges(self) -> Iterable[GaugeMetricFamily]:
        sessions = list(self.sessions.values())
        yield gauge(
            "livedub_session_live",
            "Whether a publisher is there.",
            [(s.id, float(s.source.connected)) for s in sessions],
        )
        yield gauge(
            "livedub_session_delay_seconds",
            "How far viewers are behind the source.",
            [(s.id, s.live.clock.behind) for s in sessions],
        )
        yield gauge(
            "livedub_session_position_seconds",
            "Media time that viewers have seen.",
            [(s.id, seconds(s.live.position)) for s in sessions],
        )
        yield gauge(
            "livedub_session_viewers",
            "Readers of the session's sound.",
            [(s.id, float(s.viewers)) for s in sessions],
        )
        yield gauge(
            "livedub_session_connections",
            "Publishers that came so far.",
            [(s.id, float(s.source.connections)) for s in sessions],
        )
        yield gauge(
            "livedub_session_unheard",
            "Utterances that wait for recognition.",
            [(s.id, float(s.live.unheard)) for s in sessions],
        )
        yield gauge(
            "livedub_session_pending",
            "Recognised utterances whose dub is not ready.",
            [(s.id, float(len(s.live.pending))) for s in sessions],
        )
        yield gauge(
            "livedub_session_pending_seconds",
            "How long the oldest of them has waited since it was spoken.",
            [(s.id, max(s.live.pending, default=0.0)) for s in sessions],
        )
        yield gauge(
            "livedub_session_source_restarts",
            "Times that the source fell behind for good.",
            [(s.id, float(s.live.clock.restarts)) for s in sessions],
        )
        waiting = GaugeMetricFamily(
            "livedub_engine_waiting", "Calls that wait for an engine.", labels=["engine"]
        )
        for engine, number in self.pool.waiting.items():
            waiting.add_metric([engine], number)
        yield waiting
