"""One live session: a source, its dubs in one or several languages, and the feed of both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

from server.config import Config
from server.engines.pool import EnginePool, LaneEngines
from server.sessions.assembly import source_side
from server.sessions.casting import Casting, Part
from server.sessions.delay import in_seconds
from server.sessions.lane import make_lane
from stages.asr.stage import behind_denoiser
from stream.clock.adaptive_delay import AdaptiveDelay
from stream.clock.pacing import Live, Pacing
from stream.clock.playout_clock import PlayoutClock
from stream.dub.attempt import Notice, Reworded, Settled, StageDone
from stream.dub.job import DubJob, Stage
from stream.dub.lane import Lane
from stream.dub.pipeline import Pipeline
from stream.flow.broadcast import Broadcast
from stream.frames import UNDUBBED, AudioChunk, Fate
from stream.live.feed import ORIGINAL, Event, Feed, voice_of
from stream.live.publish import LanePublisher
from stream.live.source import CHANNELS, LiveSource
from stream.timeline import TICK_RATE

log = logging.getLogger(__name__)

CAPACITY = 10 * TICK_RATE
"""Ticks of source beyond the delay that may wait for playout."""

KEPT_JOBS = 256

OnAir = Literal["dub", "original"]
"""What is heard on a dub's track."""


@dataclass(slots=True)
class Counts:
    """What became of one track's utterances so far."""

    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    left: dict[str, str] = field(default_factory=dict)
    """Languages that are not dubbed, and why."""

    @property
    def on_time_rate(self) -> float | None:
        """Share of the utterances with words that were dubbed on time."""
        spoken = sum(n for fate, n in self.fates.items() if fate not in UNDUBBED)
        return self.fates[Fate.ON_TIME] / spoken if spoken else None


class LiveSession:
    """Dubs a live source until it ends or is drained.

    Args:
        name: of the session, unique in the daemon.
        config: checked; its target language is the first of ``targets``.
        targets: languages of the dubs; that of the source revoices it.
        source: where media comes from.
        clock: the one that ``source`` was made with.
        pool: where the models are.
        bounds: shortest and longest delay in seconds where it may adapt itself.
        on_notice: told what becomes of each utterance.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        targets: Sequence[str],
        source: LiveSource,
        clock: PlayoutClock,
        pool: EnginePool,
        *,
        bounds: tuple[float, float] | None = None,
        on_notice: Callable[[Notice], None] = lambda notice: None,
    ) -> None:
        self.name = name
        self.targets = tuple(targets)
        self.source = source
        self.clock = clock
        self._config = config
        self._pool = pool
        self._on_notice = on_notice
        self._adaptive = AdaptiveDelay(clock, *bounds) if bounds else None
        self._longest = bounds[1] if bounds else 0.0
        self._pipeline: Pipeline | None = None
        self._apart = False  # whether speakers are told apart
        self.counts = {target: Counts() for target in self.targets}
        self.spoken: dict[str, int] = {}
        """Utterances by language."""
        tracks = {track: Broadcast[AudioChunk]() for track in (ORIGINAL, *self.targets)}
        voices = {voice_of(target): Broadcast[AudioChunk]() for target in self.targets}
        self.feed = Feed(clock.due, CHANNELS, tracks, config.source, voices)
        self.on_air: dict[str, OnAir] = dict.fromkeys(self.targets, "dub")
        """What is heard on each dub's track; change it by ``put_on_air``."""
        self.glossaries: dict[str, Mapping[str, str]] = dict.fromkeys(
            self.targets, config.mt.glossary
        )
        """Translation by term, for each dub; replaced and never changed."""
        self.feed.absence = source.absence
        self.feed.came = clock.arrival
        self.feed.disclosed = config.output.disclose

    @property
    def ready(self) -> bool:
        """Whether the engines are loaded and the source is awaited."""
        return self._pipeline is not None

    @property
    def position(self) -> int:
        """Media time that the viewer has seen, ticks."""
        return self._pipeline.lanes[0].playout.position if self._pipeline else 0

    @property
    def pending(self) -> list[float]:
        """Seconds for which each utterance under way has waited for its dub."""
        if self._pipeline is None:
            return []
        now = asyncio.get_running_loop().time()
        jobs = [job for lane in self._pipeline.lanes for job in lane.jobs.values()]
        return [now - j.known for j in jobs if j.fate is None and j.placement is None]

    @property
    def unrecognised(self) -> int:
        """Utterances that wait for recognition."""
        return self._pipeline.unrecognised if self._pipeline is not None else 0

    async def run(self) -> None:
        """Load what is not loaded yet, and dub until the source ends.

        Raises:
            EngineError: if an engine cannot be had.
        """
        async with AsyncExitStack() as stack:
            try:
                self._pipeline = await self._assemble(stack)
                await self._pipeline.run()
            finally:
                self._pool.release(self.name)
                self.feed.close()

    def put_on_air(self, track: str, what: OnAir) -> None:
        """Have the dub heard on its track, or the original at its full level instead."""
        self.on_air[track] = what
        for lane in self._pipeline.lanes if self._pipeline is not None else ():
            lane.fader.on = self.on_air[lane.name] == "dub"

    async def _assemble(self, stack: AsyncExitStack) -> Pipeline:
        """Source, recognition and lanes; ``stack`` closes what they own."""
        config, pacing = self._config, Live(self.clock)
        engines = await self._pool.source(config, self.name)
        stack.push_async_callback(engines.detector.aclose)
        if engines.enhancer is not None:
            stack.push_async_callback(engines.enhancer.aclose)
        recogniser = await asyncio.to_thread(behind_denoiser, engines.recogniser, config.asr)
        stack.push_async_callback(recogniser.aclose)  # of the pool, or a denoiser of its own
        casting = Casting(config, engines.encoder)
        stack.push_async_callback(casting.aclose)
        dubbing = [
            await self._pool.lane(for_target(config, target), self.name) for target in self.targets
        ]
        config, said = in_seconds(config, dubbing)
        if said is not None:
            log.info("%s", said)
            self.clock.delay = config.playout.behind
        lanes = []
        for target, lane_engines in zip(self.targets, dubbing, strict=True):
            part = casting.part(lane_engines.synthesiser)
            lane = self._lane(for_target(config, target), lane_engines, target, part, pacing)
            stack.push_async_callback(lane.aclose)
            lane.fader.on = self.on_air[target] == "dub"
            lanes.append(lane)
        self._apart = casting.speakers is not None
        side = source_side(
            config,
            engines,
            recogniser,
            casting.speakers,
            pacing,
            centre=None,
            pace=max(each.pace for each in dubbing),
            cost=max(each.cost for each in dubbing),
            watch=self._watch,
        )
        return Pipeline(
            self.source.batches(),
            side.detection,
            side.recognition,
            lanes,
            pacing,
            side.enhancement,
        )

    async def drain(self) -> None:
        """End the source; what came of it is dubbed and played to its end."""
        await self.source.aclose()

    async def stop(self) -> None:
        """End now."""
        await self.source.aclose()
        if self._pipeline is not None:
            self._pipeline.stop()

    def _lane(
        self, config: Config, engines: LaneEngines, target: str, part: Part, pacing: Pacing
    ) -> Lane:
        first = target == self.targets[0]
        publisher = LanePublisher(self.feed, target, carries_picture=first, clock=self.clock)
        return make_lane(
            config,
            engines,
            part,
            pacing,
            publisher.emit,
            channels=CHANNELS,
            centre=None,
            capacity=CAPACITY + round(max(config.playout.behind, self._longest) * TICK_RATE),
            keep=KEPT_JOBS,
            watch=self._watch,
            terms=lambda: self.glossaries[target],
        )

    def _watch(self, notice: Notice) -> None:
        """Tell viewers, counters and metrics what became of an utterance."""
        if isinstance(notice, StageDone) and notice.stage is Stage.RECOGNITION and notice.job.text:
            self.spoken[notice.job.language] = self.spoken.get(notice.job.language, 0) + 1
        for event in self._events(notice):
            self.feed.events.publish(event)
        if isinstance(notice, Settled) and notice.job.fate is not None:
            self.counts[notice.track].fates[notice.job.fate] += 1
            if notice.job.fate is Fate.LEFT:
                self.counts[notice.track].left[notice.job.language] = notice.job.fault or ""
            self._adapt(notice.job)
        self._on_notice(notice)

    def _events(self, notice: Notice) -> Iterator[Event]:
        """What viewers are told."""
        job, slot, id_ = notice.job, notice.job.slot, notice.job.id
        match notice:
            case StageDone(stage=Stage.RECOGNITION | Stage.DIARISATION as stage):
                known = Stage.DIARISATION if self._apart else Stage.RECOGNITION
                if stage is known and (text := job.text.strip()):
                    speaker = job.utterance.speaker if self._apart else None
                    doubts = tuple(doubt.value for doubt in job.doubts)
                    yield Event(
                        "transcript",
                        ORIGINAL,
                        id_,
                        slot.start,
                        slot.end,
                        text,
                        speaker=speaker,
                        doubts=doubts,
                        language=job.language,
                    )
            case StageDone(track=str(track), stage=Stage.TRANSLATION) if job.translation:
                yield Event("translation", track, id_, slot.start, slot.end, job.translation)
            case StageDone(track=str(track), stage=Stage.SYNTHESIS):
                yield from self._dub_event(track, job)
            case Reworded(track=track):
                yield Event("translation", track, id_, slot.start, slot.end, job.translation)
                yield from self._dub_event(track, job)
            case Settled(track=track) if job.fate is not None:
                played = job.dub or slot
                yield Event("fate", track, id_, played.start, played.end, fate=job.fate.value)

    def _dub_event(self, track: str, job: DubJob) -> Iterator[Event]:
        if job.placement is not None:
            planned = job.placement.interval
            yield Event("dub", track, job.id, planned.start, planned.end)

    def _adapt(self, job: DubJob) -> None:
        if self._adaptive is None:
            return
        if job.available is not None:
            self._adaptive.dubbed(job.available)
        elif job.fate is Fate.DROPPED:
            self._adaptive.dropped()


def for_target(config: Config, target: str) -> Config:
    """The configuration for one of several target languages; the source's own revoices."""
    languages = config.languages.model_copy(update={"target": target})
    update: dict[str, object] = {"languages": languages}
    if target == config.source:
        update["mt"] = config.mt.model_copy(update={"engine": "none"})
    return config.model_copy(update=update)
