"""One session of the daemon: what was asked for, what it is doing, and where it goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from server.config import Config
from server.engines.pool import EnginePool
from server.sessions.description import OutputDescription, SessionDescription, SessionState
from server.sessions.live import LiveSession
from server.sessions.logs import SESSION
from server.sessions.metrics import Metrics
from server.sessions.sources import PublishPoint, Pull
from server.sessions.spec import PUBLISH, SessionSpec
from stages.base import EngineError
from stream.clock.playout_clock import PlayoutClock
from stream.live.feed import Feed
from stream.live.output import Output, OutputStatus
from stream.live.source import LiveSource
from stream.timeline import seconds

log = logging.getLogger(__name__)

OutputMaker = Callable[[SessionSpec, Feed, Path, Path], Iterable[Output]]
"""Creates a session's outputs from what was asked for, its feed, its folder of HLS files and the
folder of recordings."""


class RunningSession:
    """A session of the daemon: what was asked for, and what it is doing.

    Args:
        spec: as asked for.
        config: with the session's own settings.
        pool: of engines.
        metrics: counts its utterances.
        folder: where its HLS goes; it exists.
        outputs: creates its outputs.
    """

    def __init__(
        self,
        spec: SessionSpec,
        config: Config,
        pool: EnginePool,
        metrics: Metrics,
        folder: Path,
        outputs: OutputMaker,
    ) -> None:
        self.spec = spec
        self.id = spec.id
        self.key = spec.key
        self.play_token = spec.play_token
        self.folder = folder
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
            on_notice=lambda notice: metrics.observe(spec.id, notice),
        )
        self._outputs = [
            _Guarded(output) for output in outputs(spec, self.feed, folder, serve.recordings)
        ]

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
        if self._draining:
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
            except EngineError as error:
                self.error = str(error)
                log.error("session %s: %s", self.id, error)
            except Exception as error:
                self.error = f"the session failed unexpectedly: {type(error).__name__}"
                log.exception("session %s failed unexpectedly", self.id)
            finally:
                await asyncio.gather(*tasks, return_exceptions=True)
                self.ended.set()

    async def drain(self) -> None:
        """End once everything received so far has been dubbed and played."""
        self._draining = True
        await self.live.drain()

    async def stop(self) -> None:
        """End at once."""
        await self.live.stop()

    def describe(self) -> SessionDescription:
        """What the API shows; no secrets."""
        live = self.live
        return SessionDescription(
            id=self.id,
            state=self.state,
            error=self.error,
            source="publish" if self.spec.source == PUBLISH else "pull",
            language=self.feed.language,
            tracks=list(self.feed.tracks),
            connected=self.source.connected,
            connections=self.source.connections,
            transport=self.source.transport,
            concealed_s=round(seconds(self.source.concealed), 3),
            position=live.position,
            position_s=round(seconds(live.position), 3),
            delay_s=round(live.clock.behind, 3),
            hls=self.spec.hls,
            protected=self.play_token is not None,
            viewers=self.viewers,
            outputs=[OutputDescription.of(status) for status in self.outputs],
            dubs={
                track: {fate.value: n for fate, n in counts.fates.items()}
                | {"on_time_rate": counts.on_time_rate}
                for track, counts in live.counts.items()
            },
        )

    @property
    def viewers(self) -> int:
        """Readers of its sound."""
        return sum(sound.readers for sound in self.feed.sounds.values())


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
            self._fault = f"the {kind} failed unexpectedly: {type(error).__name__}"
            log.exception("%s", self._fault)

    async def aclose(self) -> None:
        await self._output.aclose()

    def status(self) -> OutputStatus:
        status = self._output.status()
        if self._fault is None:
            return status
        return replace(status, state="failed", failure=self._fault)
