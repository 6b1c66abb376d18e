"""One session of the daemon: what was asked for, what it is doing, and where it goes."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from server.addresses.reach import EVERYWHERE, Reach
from server.config import AUTO, Config
from server.engines.pool import EnginePool
from server.hls.output import HlsOutput
from server.problems import Problem
from server.sessions.description import (
    LinkDescription,
    OutputDescription,
    PictureDescription,
    SessionDescription,
    SessionState,
)
from server.sessions.live import LiveSession
from server.sessions.logs import SESSION
from server.sessions.metrics import Metrics
from server.sessions.monitor import Monitor
from server.sessions.sources import PublishPoint, Pull
from server.sessions.spec import PUBLISH, SessionSpec
from stream.clock.playout_clock import PlayoutClock
from stream.errors import LivedubError, cause, root
from stream.live.connection import Connection
from stream.live.feed import Feed
from stream.live.output import Output, OutputStatus
from stream.live.source import LiveSource
from stream.timeline import seconds

log = logging.getLogger(__name__)

OutputMaker = Callable[[SessionSpec, Feed, Path, Path, Reach], Iterable[Output]]
"""Creates a session's outputs from what was asked for, its feed, its folder of HLS files, the
folder of recordings, and where it may connect to."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where publishers connect, by protocol; ``None`` where they cannot."""

    rtmp: int | None = None
    srt: int | None = None


NO_PORTS = Ports()


class RunningSession:
    """A session of the daemon: what was asked for, and what it is doing.

    Args:
        spec: as asked for.
        config: with the session's own settings.
        pool: of engines.
        metrics: counts its utterances.
        folder: where its HLS goes; it exists.
        outputs: creates its outputs.
        reach: where it may connect to.
        restarts: how often it has been started again after a failure.
        ports: where the daemon's publishers connect.

    Attributes:
        error: why it has failed, in one sentence.
        restart_at: event-loop time at which it starts again, if it does.
        playlists: of its HLS, if it has any.
        monitor: what an operator sees and hears of it.
    """

    def __init__(
        self,
        spec: SessionSpec,
        config: Config,
        pool: EnginePool,
        metrics: Metrics,
        folder: Path,
        outputs: OutputMaker,
        *,
        reach: Reach = EVERYWHERE,
        restarts: int = 0,
        ports: Ports = NO_PORTS,
    ) -> None:
        self.spec = spec
        self.id = spec.id
        self.key = spec.key
        self.play_token = spec.play_token
        self.folder = folder
        self.targets = tuple(spec.targets) or (config.target,)
        self.choice = (config.input, config.languages.one)
        """Which sound of its source is dubbed, and its language, where that is known."""
        self.error: str | None = None
        self.restart_at: float | None = None
        self.restarts = restarts
        self.dismissed = asyncio.Event()
        """Set once nobody wants it to go on."""
        self.points = PublishPoint()
        self.ended = asyncio.Event()
        clock = PlayoutClock(config.playout.behind)
        self._pull = None
        if spec.source != PUBLISH:
            self._pull = Pull(
                spec.source,
                config.input,
                config.languages.one,
                reach,
                verify=spec.tls_verify,
                reader=config.serve.reader,
            )
        connect = self.points.connect if self._pull is None else self._pull.connect
        self._ports = ports
        self.source = LiveSource(connect, clock, only=config.input.only)
        serve, chosen = config.serve, config.playout.delay
        self.live = LiveSession(
            spec.id,
            config,
            self.targets,
            self.source,
            clock,
            pool,
            bounds=(serve.min_delay, serve.max_delay) if AUTO in (spec.delay, chosen) else None,
            on_notice=lambda notice: metrics.observe(spec.id, notice),
        )
        made = list(outputs(spec, self.feed, folder, serve.recordings, reach))
        self.playlists = next((one.playlists for one in made if isinstance(one, HlsOutput)), None)
        self.monitor = Monitor(self.feed)
        self._outputs = [_Guarded(output) for output in made]

    def protect(self, play_token: str) -> None:
        """Have viewers show another token from now on, after a restart too."""
        self.play_token = play_token
        self.spec = self.spec.model_copy(update={"play_token": play_token})

    @property
    def feed(self) -> Feed:
        """What viewers get."""
        return self.live.feed

    @property
    def state(self) -> SessionState:
        """What it is doing."""
        if self.error is not None:
            return "failed"
        if self.ended.is_set():
            return "ended"
        if self.dismissed.is_set():
            return "draining"
        if not self.live.ready:
            return "starting"
        return "live" if self.source.connected else "waiting"

    @property
    def outputs(self) -> list[OutputStatus]:
        """The state of its outputs: HLS if there is any, then in the order asked for."""
        return [output.status() for output in self._outputs]

    async def run(self) -> None:
        """Dub until the source ends. A fault ends this session only; an output's, that output."""
        SESSION.set(self.id)
        async with AsyncExitStack() as stack:
            tasks = []
            for output in self._outputs:
                stack.push_async_callback(output.aclose)
                tasks.append(asyncio.create_task(output.run()))
            try:
                await self.live.run()
            except Exception as error:
                self._failed(error)
            finally:
                await self.points.aclose()
                self.monitor.close()
                await asyncio.gather(*tasks, return_exceptions=True)
                self.ended.set()

    def _failed(self, error: Exception) -> None:
        self.error = cause(error)
        if isinstance(root(error), LivedubError):
            log.error("session %s has failed: %s", self.id, self.error)
        else:
            self.error = f"a fault in livedub: {self.error}"
            log.error("session %s has failed by %s", self.id, self.error, exc_info=error)

    async def drain(self) -> None:
        """End once everything received so far has been dubbed and played."""
        self.dismissed.set()
        await self.live.drain()

    async def stop(self) -> None:
        """End at once."""
        self.dismissed.set()
        await self.live.stop()

    @property
    def restart_in_s(self) -> float | None:
        """Seconds until it starts again after a failure; ``None`` if it does not."""
        if self.restart_at is None:
            return None
        return max(0.0, self.restart_at - asyncio.get_running_loop().time())

    def check(self) -> None:
        """Whether viewers and publishers can be let in at all.

        Raises:
            Problem: 503 with the reason, if it has failed.
        """
        if self.error is None:
            return
        # Why is for those who control the daemon: it may name paths, models and servers.
        detail, headers = f"session '{self.id}' has failed", {}
        if (left := self.restart_in_s) is not None:
            detail += f" (it starts again in {left:.0f} s)"
            headers["Retry-After"] = str(max(1, math.ceil(left)))
        raise Problem(503, detail, headers)

    async def admit(self, connection: Connection) -> None:
        """Let a publisher in.

        Raises:
            Problem: with the reason, if it takes none now.
        """
        self.check()
        if self.spec.source != PUBLISH:
            detail = f"session '{self.id}' pulls its source and takes no publisher"
            raise Problem(409, detail)
        if self.ended.is_set() or self.dismissed.is_set():
            raise Problem(409, f"session '{self.id}' has ended")
        if not await self.points.offer(connection):
            raise Problem(409, f"session '{self.id}' has a publisher already")

    def describe(self) -> SessionDescription:
        """What the API shows; no secrets."""
        live = self.live
        return SessionDescription(
            id=self.id,
            state=self.state,
            error=self.error,
            source_failure=self._pull.failure if self._pull is not None else None,
            restarts=self.restarts,
            restart_in_s=None if (left := self.restart_in_s) is None else round(left, 1),
            source="publish" if self.spec.source == PUBLISH else "pull",
            rtmp_port=self._ports.rtmp if self.spec.source == PUBLISH else None,
            srt_port=self._ports.srt if self.spec.source == PUBLISH else None,
            language=self.feed.language,
            tracks=list(self.feed.tracks),
            connected=self.source.connected,
            connections=self.source.connections,
            transport=self.source.transport,
            link=LinkDescription.of(self.source.link),
            picture=PictureDescription.of(self.source.picture),
            concealed_s=round(seconds(self.source.concealed), 3),
            position=live.position,
            position_s=round(seconds(live.position), 3),
            delay_s=round(live.clock.behind, 3),
            hls=self.spec.hls,
            protected=self.play_token is not None,
            viewers=self.viewers,
            on_air=live.on_air,
            outputs=[OutputDescription.of(status) for status in self.outputs],
            spoken=live.spoken,
            left={track: counts.left for track, counts in live.counts.items() if counts.left},
            dubs={
                track: {fate.value: n for fate, n in counts.fates.items()}
                | {"on_time_rate": counts.on_time_rate}
                for track, counts in live.counts.items()
            },
        )

    @property
    def viewers(self) -> int:
        """Those who watch or listen by WebRTC, WebSocket or HLS."""
        return self.feed.viewers


class _Guarded:
    """An output whose faults, even unexpected ones, affect nothing else."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._fault: str | None = None

    async def run(self) -> None:
        try:
            await self._output.run()
        except Exception as error:
            kind = self._output.status().kind
            self._fault = f"the {kind} has failed by a fault in livedub: {cause(error)}"
            log.exception("%s", self._fault)

    async def aclose(self) -> None:
        await self._output.aclose()

    def status(self) -> OutputStatus:
        status = self._output.status()
        if self._fault is None:
            return status
        return replace(status, state="failed", failure=self._fault)
