"""WhisperLiveKit: its server's audio processor, with LocalAgreement over faster-whisper.

    pip install torch==2.13.0 whisperlivekit==0.2.26

Recognition runs again after each second of sound: by default it restarts as soon as it has ended,
which takes all of two cores. Beam size, 5, and precision cannot be chosen. Its other policy,
SimulStreaming, needs PyTorch weights of Whisper and does not take those of CTranslate2. Warming up,
which fetches a recording from GitHub, is off.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from whisperlivekit.audio_processor import AudioProcessor
from whisperlivekit.core import TranscriptionEngine
from whisperlivekit.timed_objects import FrontData

from benchmarks.peers.wire import Wire

STEP = 1.0


async def listen(wire: Wire, engine: TranscriptionEngine) -> None:
    """Feed the processor until the line is closed."""
    processor = AudioProcessor(transcription_engine=engine)
    answers = asyncio.create_task(watch(wire, await processor.create_tasks()))
    blocks = wire.blocks()
    while block := await asyncio.to_thread(next, blocks, b""):
        await processor.process_audio(block)
    await processor.process_audio(b"")
    await answers


async def watch(wire: Wire, answers: AsyncIterator[FrontData]) -> None:
    """Commit the words that are new in the lines that the processor shows."""
    known = 0
    async for answer in answers:
        words = [word for line in answer.lines if line.text for word in line.tokens or ()]
        if new := words[known:]:
            wire.commit("".join(word.text for word in new), new[0].start, new[-1].end)
            known = len(words)


def main() -> None:
    """Listen until the line is closed."""
    wire = Wire()
    engine = TranscriptionEngine(
        backend_policy="localagreement",
        backend="faster-whisper",
        model_path=sys.argv[1],
        lan="en",
        pcm_input=True,
        warmup_file="",
        asr_coalesce_min_s=STEP,
    )
    asyncio.run(listen(wire, engine))
    wire.done()


if __name__ == "__main__":
    main()
