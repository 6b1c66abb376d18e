"""One live session: a source, its dubs in one or several languages, and the feed of both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.config import Config
from server.engines.pool import EnginePool
from server.sessions.assembly import increments, listened_to, segmenter, voice
from server.sessions.casting import Casting
from stages.asr.stage import hearing, recognition, timed
from stages.base import Recogniser
from stages.mt.stage import translation
from stages.vad import SileroDetector
from stream.clock.adaptive_delay import AdaptiveDelay
from stream.clock.pacing import Live
from stream.clock.playout_clock import PlayoutClock
from stream.dub.deliver import Delivery
from stream.dub.jitter import Played
from stream.dub.job import DubJob
from stream.dub.pipeline import Lane, Listening, Pipeline, Stage
from stream.dub.playout import Playout
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk, Fate
from stream.live.feed import ORIGINAL, Event, Feed, voice_of
from stream.live.publish import LanePublisher
from stream.live.source import CHANNELS, LiveSource
from stream.timeline import TICK_RATE

CAPACITY = 10 * TICK_RATE
"""Ticks of source beyond the delay that may wait for playout."""

KEPT_JOBS = 256

HEARING = 1.0
"""Seconds for voice activity or word times: the source keeps coming meanwhile."""


@dataclass(slots=True)
class Counts:
    """What became of one track's utterances so far."""

    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))

    @property
    def on_time_rate(self) -> float | None:
        """Share of the utterances with words that were dubbed on time."""
        spoken = sum(n for fate, n in self.fates.items() if fate is not Fate.EMPTY)
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
        on_stage: called with stage, track and job when a stage has dealt with a job, and with
            ``fate`` when what became of it is known.
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
        on_stage: Callable[[str, str, DubJob], None] = lambda stage, track, job: None,
    ) -> None:
        self.name = name
        self.targets = tuple(targets)
        self.source = source
        self.clock = clock
        self._config = config
        self._pool = pool
        self._on_stage = on_stage
        self._adaptive = AdaptiveDelay(clock, *bounds) if bounds else None
        self._pipeline: Pipeline | None = None
        self.counts = {target: Counts() for target in self.targets}
        tracks = {track: Broadcast[AudioChunk]() for track in (ORIGINAL, *self.targets)}
        voices = {voice_of(target): Broadcast[AudioChunk]() for target in self.targets}
        self.feed = Feed(clock.due, CHANNELS, tracks, config.languages.source, voices)

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
    def unheard(self) -> int:
        """Utterances that wait for recognition."""
        return self._pipeline.unheard if self._pipeline is not None else 0

    async def run(self) -> None:
        """Load what is not loaded yet, and dub until the source ends.

        Raises:
            EngineError: if an engine cannot be had.
        """
        detector = SileroDetector()
        deliveries: list[Delivery] = []
        casting: Casting | None = None
        recogniser: Recogniser | None = None
        try:
            shared = await self._pool.recogniser(self._config, self.name)
            recogniser = hearing(shared, self._config.asr)
            encoder = await self._pool.encoder(self._config, self.name)
            casting = Casting(self._config, encoder)
            lanes = [await self._lane(target, casting, deliveries) for target in self.targets]
            pace = max(lane_pace for _, lane_pace in lanes)
            config = self._config
            delay = config.playout.delay
            cutting = segmenter(config, detector.window, delay=delay, pace=pace)
            self._pipeline = Pipeline(
                self.source.batches(),
                None,
                cutting,
                Listening(detector.probabilities, detector.window, timed(recogniser), HEARING),
                Stage("asr", recognition(recogniser), config.asr.deadline),
                [lane for lane, _ in lanes],
                Live(self.clock),
                config.playout.max_late,
                self._watch,
                KEPT_JOBS,
                casting.speakers,
                incremental=increments(config, cutting, live=True, pace=pace),
            )
            await self._pipeline.run()
        finally:
            self.feed.close()
            for delivery in deliveries:
                await delivery.aclose()
            if recogniser is not None:
                await recogniser.aclose()
            if casting is not None:
                await casting.aclose()
            await detector.aclose()

    async def drain(self) -> None:
        """End the source; what came of it is dubbed and played to its end."""
        await self.source.aclose()

    async def stop(self) -> None:
        """End now."""
        await self.source.aclose()
        if self._pipeline is not None:
            await self._pipeline.stop()

    async def _lane(
        self, target: str, casting: Casting, deliveries: list[Delivery]
    ) -> tuple[Lane, float]:
        config = for_target(self._config, target)
        translator = await self._pool.translator(config, self.name)
        synthesiser = await self._pool.synthesiser(config, self.name)
        listener = await self._pool.listener(config, self.name)
        speaks = listened_to(synthesiser, listener, config.tts)
        pacing = Live(self.clock)
        options = config.playout
        first = target == self.targets[0]
        output = LanePublisher(self.feed, target, carries_picture=first, clock=self.clock)
        playout = Playout(
            CHANNELS,
            None,
            options,
            pacing,
            lambda played: self._played(lane, played),
            CAPACITY + round(options.delay * TICK_RATE),
        )
        delivery = Delivery(
            voice(speaks, casting.part(speaks)),
            playout,
            pacing,
            config.fit,
            options.max_late,
        )
        deliveries.append(delivery)

        async def reword(job: DubJob, text: str, following: DubJob) -> bool:
            reworded = await delivery.reword(job, text, following)
            if reworded:
                self._publish("mt", target, job)
                self._publish("tts", target, job)
            return reworded

        lane = Lane(
            target,
            [
                Stage(
                    "mt",
                    translation(
                        translator,
                        config.mt,
                        config.languages.source,
                        delivery.expected,
                        reword,
                    ),
                    config.mt.deadline,
                ),
                Stage("tts", delivery.deliver, config.tts.deadline),
            ],
            playout,
            output.emit,
        )
        return lane, synthesiser.pace

    def _played(self, lane: Lane, played: Played) -> None:
        job = lane.played(played)
        self._watch("fate", lane, job)

    def _watch(self, stage: str, lane: Lane | None, job: DubJob) -> None:
        track = lane.name if lane is not None else ORIGINAL
        self._publish(stage, track, job)
        if stage == "fate" and job.fate is not None:
            self.counts[track].fates[job.fate] += 1
            self._adapt(job)
        self._on_stage(stage, track, job)

    def _publish(self, stage: str, track: str, job: DubJob) -> None:
        """Tell viewers what is known after a stage."""
        slot, id_ = job.slot, job.utterance.id
        publish = self.feed.events.publish
        apart = self._config.speakers.enabled
        heard = stage == ("speakers" if apart else "asr")
        if heard and job.transcript is not None and job.transcript.text.strip():
            text = job.transcript.text.strip()
            speaker = job.utterance.speaker if apart else None
            publish(Event("transcript", track, id_, slot.start, slot.end, text, speaker=speaker))
        elif stage == "mt" and job.translation:
            publish(Event("translation", track, id_, slot.start, slot.end, job.translation))
        elif stage == "tts" and job.placement is not None:
            planned = job.placement.interval
            publish(Event("dub", track, id_, planned.start, planned.end))
        elif stage == "fate" and job.fate is not None:
            played = job.dub or slot
            publish(Event("fate", track, id_, played.start, played.end, fate=job.fate.value))

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
    if target == config.languages.source:
        update["mt"] = config.mt.model_copy(update={"engine": "none"})
    return config.model_copy(update=update)
