"""One stream being dubbed: engines, pipeline and sink put together, run, and reported on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import numpy as np

from server.config import Config
from server.engines.pool import LaneEngines, SourceEngines
from server.evaluation.report import Report, describe, strangeness, summarise
from server.sessions.assembly import source_side
from server.sessions.casting import Casting
from server.sessions.lane import make_lane
from server.sessions.scripted import notes_on, scripted
from server.sessions.stems import Stems
from stages.asr.stage import behind_denoiser
from stages.vad import SileroDetector
from stream.clock.pacing import Offline, Pacing, RealTime
from stream.dub.job import DubJob
from stream.dub.pipeline import Pipeline
from stream.dub.playout import Block
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, CopiedPacket, Samples
from stream.media.reading import batches
from stream.media.sink import FileSink
from stream.media.source import MediaSource
from stream.sound.activity import speech_intervals
from stream.sound.resample import Resampler
from stream.speech.script import Script
from stream.timeline import TICK_RATE, Interval

SUBTITLES = "subtitles"
"""In the report, in place of an engine: the words came from a file."""

LOOKAHEAD = 30 * TICK_RATE
"""Ticks of source that may be read ahead of playout when nobody watches."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished session leaves behind.

    Attributes:
        report: figures and rows.
        source_speech: voice activity of the source.
        dub_speech: voice activity of the dub.
    """

    report: Report
    source_speech: list[Interval]
    dub_speech: list[Interval]


class FileSession:
    """Dubs a source into a file.

    Args:
        config: checked configuration.
        engines: of the source; its detector and enhancer are closed by the session, the others stay
            open.
        lane_engines: of the target language; they stay open.
        source: opened; the session closes it.
        sink: opened; the session closes it, or leaves what was written if the run fails.
        realtime: pace the source at 1x and play out with the configured delay.
        load: seconds that loading took, for the report.
        script: has the words, where subtitles take the place of recognition.
        stems: gets voice and bed apart; the session closes it.
    """

    def __init__(
        self,
        config: Config,
        engines: SourceEngines,
        lane_engines: LaneEngines,
        source: MediaSource,
        sink: FileSink,
        *,
        realtime: bool = False,
        load: float = 0.0,
        script: Script | None = None,
        stems: Stems | None = None,
    ) -> None:
        self._config, self._script = config, script
        spoken = config if script is None else scripted(config, script)
        self._engines = engines
        self._source = source
        self._sink, self._stems = sink, stems
        self._load = load
        self._sink_worker = Worker("sink")
        self._monitor = _DubMonitor()
        self._casting = Casting(config, engines.encoder)
        part = self._casting.part(lane_engines.synthesiser)
        self._recogniser = behind_denoiser(engines.recogniser, config.asr)
        self._pacing: Pacing = RealTime(config.playout.behind) if realtime else Offline()
        info = source.info
        side = source_side(
            spoken,
            engines,
            self._recogniser,
            self._casting.speakers,
            self._pacing,
            centre=info.centre,
            pace=lane_engines.pace,
            cost=lane_engines.cost,
            script=script,
        )
        self._lane = make_lane(
            spoken,
            lane_engines,
            part,
            self._pacing,
            self._emit,
            channels=info.channels,
            centre=info.centre,
            capacity=LOOKAHEAD + 2 * round(side.options.max_length * TICK_RATE),
        )
        self._detection = side.detection
        self._pipeline = Pipeline(
            batches(source, TICK_RATE // 25 if realtime else TICK_RATE // 2),
            side.detection,
            side.recognition,
            [self._lane],
            self._pacing,
            side.enhancement,
        )

    @property
    def position(self) -> int:
        """Media time written so far, ticks."""
        return self._lane.playout.position

    @property
    def jobs(self) -> list[DubJob]:
        """Every utterance so far."""
        return list(self._lane.jobs.values())

    @property
    def stopped(self) -> bool:
        """Whether it was told to end early."""
        return self._pipeline.stopping

    def stop(self) -> None:
        """End early; the file keeps everything dubbed by now."""
        self._pipeline.stop()

    async def run(self) -> Outcome:
        """Dub the source to its end.

        Raises:
            SinkError: if the output cannot be written; what is written can be played then.
        """
        began, cpu = time.monotonic(), time.process_time()
        finished = False
        try:
            try:
                await self._pipeline.run()
            except BaseExceptionGroup as group:
                raise _first(group) from None
            await self._sink_worker.run(self._sink.close)
            finished = True
        finally:
            if not finished:
                await asyncio.shield(self._sink_worker.run(self._sink.keep))
                await self._monitor.aclose()
            if self._stems is not None:
                await self._sink_worker.run(self._stems.close)
            await self._sink_worker.aclose()
            await self._lane.aclose()
            await self._casting.aclose()
            if self._recogniser is not self._engines.recogniser:
                await self._recogniser.aclose()
            await self._engines.detector.aclose()
            if self._engines.enhancer is not None:
                await self._engines.enhancer.aclose()
            self._source.close()
        dub_speech = await self._monitor.finish()
        return self._outcome(time.monotonic() - began, time.process_time() - cpu, dub_speech)

    async def _emit(self, block: Block) -> None:
        def write() -> None:
            for packet in block.packets:
                assert isinstance(packet, CopiedPacket)
                self._sink.write_packet(packet)
            if len(block.audio):
                self._sink.write_audio(block.audio)
            if self._stems is not None:
                self._stems.write(block.audio, block.dub)

        await self._sink_worker.run(write)
        await self._monitor.push(block.dub)

    def _outcome(self, wall: float, cpu: float, dub_speech: list[Interval]) -> Outcome:
        probabilities = self._detection.probabilities
        source_speech = speech_intervals(
            np.concatenate(probabilities) if probabilities else np.zeros(0, np.float32),
            self._engines.detector.window,
        )
        end = self._lane.playout.position
        config = self._config
        summary = summarise(
            self.jobs,
            [Interval(i.start, min(i.end, end)) for i in source_speech if i.start < end],
            dub_speech,
            media=end,
            wall=wall,
            load=self._load,
            cpu=cpu,
            live=self._pacing.live,
            delay=config.playout.behind if self._pacing.live else 0.0,
            repaired=self._source.repaired,
            corrupt=self._source.corrupt,
            deaf=self._detection.skipped,
        )
        report = Report(
            source=str(self._source.info.url),
            output=str(self._sink.path),
            source_language=config.languages.written,
            target_language=config.target,
            engines={kind: getattr(config, kind).engine for kind in ("asr", "mt", "tts")},
            notes=[
                *self._source.notes,
                *self._detection.notes,
                *self._sink.notes,
                *strangeness(self.jobs, config.languages.written),
            ],
            summary=summary,
            utterances=[describe(job) for job in self.jobs],
        )
        if self._script is not None:
            report = _of_script(report, self._script)
        return Outcome(report, source_speech, dub_speech)


def _of_script(report: Report, script: Script) -> Report:
    """What a report says where the words came from subtitles."""
    engines = {**report.engines, "asr": SUBTITLES}
    rows = report.utterances
    if script.translated:  # nobody knows what was said
        engines["mt"] = SUBTITLES
        rows = [row.model_copy(update={"text": ""}) for row in rows]
    notes = [*report.notes, *notes_on(script)]
    return report.model_copy(update={"engines": engines, "utterances": rows, "notes": notes})


class _DubMonitor:
    """Voice activity of the dub as it is played, for the report."""

    def __init__(self) -> None:
        self._detector = SileroDetector()
        self._resampler = Resampler(TICK_RATE, SPEECH_RATE)
        self._pending: list[Samples] = []
        self._length = 0
        self._probabilities: list[Samples] = []

    async def push(self, dub: Samples) -> None:
        """The next stretch of dub, mono at 48 kHz."""
        self._pending.append(self._resampler.push(dub))
        self._length += len(self._pending[-1])
        if self._length >= SPEECH_RATE:
            await self._classify()

    async def finish(self) -> list[Interval]:
        """All speech in the dub."""
        self._pending.append(self._resampler.flush())
        self._pending.append(np.zeros(self._detector.window, np.float32))
        await self._classify()
        await self.aclose()
        return speech_intervals(np.concatenate(self._probabilities), self._detector.window)

    async def aclose(self) -> None:
        """End its detector."""
        await self._detector.aclose()

    async def _classify(self) -> None:
        audio = np.concatenate(self._pending)
        whole = len(audio) // self._detector.window * self._detector.window
        self._pending = [audio[whole:]]
        self._length = len(audio) - whole
        self._probabilities.append(await self._detector.probabilities(audio[:whole]))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first fault of a task group, which made it cancel the others."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
