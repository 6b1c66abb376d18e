"""Pipecat: its voice activity detection and its Whisper service, one pause to the next.

    pip install 'pipecat-ai[whisper]==1.14.0'

The pipeline ends in a processor that commits the text; translation and speech, which would be the
next processors, are `interpreter.py` as for all others. Settings are Pipecat's own: an utterance
ends at 0.2 s without speech.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.whisper.stt import WhisperSTTService
from pipecat.workers.runner import WorkerRunner

from benchmarks.peers.wire import RATE, Wire


class TimedWhisper(WhisperSTTService):
    """The service, which notes when the utterances that it hears were said."""

    def __init__(self, wire: Wire, model: str) -> None:
        settings = WhisperSTTService.Settings(model=model)
        super().__init__(device="cpu", compute_type="int8", settings=settings)
        self._wire, self._spans = wire, deque[tuple[float, float]]()
        self._onset = 0.0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Note where speech begins and ends, less what the detector needed to be sure."""
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._onset = self._wire.heard - frame.start_secs
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._spans.append((self._onset, self._wire.heard - frame.stop_secs))
        await super().process_frame(frame, direction)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        """Recognise an utterance."""
        span = self._spans.popleft()
        async for frame in super().run_stt(audio):
            if isinstance(frame, TranscriptionFrame):
                frame.result = span
            yield frame


class Sink(FrameProcessor):
    """The pipeline's end."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Commit text, pass on the rest."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            self._wire.commit(frame.text, *frame.result)
        await self.push_frame(frame, direction)


async def listen(wire: Wire, model: str) -> None:
    """Run the pipeline until the line is closed."""
    stages = [VADProcessor(vad_analyzer=SileroVADAnalyzer()), TimedWhisper(wire, model), Sink(wire)]
    params = PipelineParams(audio_in_sample_rate=RATE)
    worker = PipelineWorker(Pipeline(stages), params=params, idle_timeout_secs=None)

    async def feed() -> None:
        blocks = wire.blocks()
        while block := await asyncio.to_thread(next, blocks, b""):
            await worker.queue_frame(InputAudioRawFrame(block, RATE, 1))
        await worker.queue_frame(EndFrame())

    feeding = asyncio.create_task(feed())
    runner = WorkerRunner()
    await runner.add_workers(worker)
    await runner.run()
    await feeding


def main() -> None:
    """Listen until the line is closed."""
    wire = Wire()
    asyncio.run(listen(wire, sys.argv[1]))
    wire.done()


if __name__ == "__main__":
    main()
