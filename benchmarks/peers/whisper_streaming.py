"""whisper-streaming: LocalAgreement over a sliding window of faster-whisper.

    apt install libasound2-dev && pip install 'whisper-streaming[faster-whisper]==0.1.0'

Recognition runs again after each second of sound, on a window of 15 s, which are the figures of the
paper's implementation. Of the package's two ways of trimming the window, the one by sentences
raises a bare ``Exception``. Whatever is still uncertain when no sound comes within the receiver's
timeout is committed.

One thing is fixed: the package hands faster-whisper an empty prompt, which that turns into a space,
and after a space tiny.en recognises nothing in many windows.
"""

from __future__ import annotations

import sys

import numpy as np
from whisper_streaming import ASRProcessor, AudioReceiver, Backend, OutputSender, TimeTrimming, Word
from whisper_streaming.backend import (
    FasterWhisperFeatureExtractorConfig,
    FasterWhisperModelConfig,
    FasterWhisperTranscribeConfig,
)

from benchmarks.peers.wire import RATE, Wire

STEP, WINDOW = 1.0, 15.0


class Receiver(AudioReceiver):
    """The wire as the package's source of sound."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._blocks = wire.blocks(round(STEP * RATE) * 2)

    def _do_receive(self) -> np.ndarray | None:
        block = next(self._blocks, None)
        return None if block is None else np.frombuffer(block, "<i2").astype(np.float32) / 32768

    def _do_close(self) -> None:
        pass


class Sender(OutputSender):
    """The wire as what the package sends its text to."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def _do_output(self, data: Word) -> None:
        self._wire.commit(data.word, data.start, data.end)

    def _do_close(self) -> None:
        pass

    def finish(self) -> None:
        """Send what the package left in the queue when it stopped."""
        self.join()
        while not self.queue.empty():
            self._do_output(self.queue.get())


def main() -> None:
    """Listen until the line is closed."""
    wire = Wire()
    sender = Sender(wire)
    processor = ASRProcessor(
        ASRProcessor.ProcessorConfig(
            sampling_rate=RATE,
            prompt_size=200,
            audio_receiver_timeout=2 * STEP,
            audio_trimming=TimeTrimming(WINDOW),
            language="en",
        ),
        Receiver(wire),
        sender,
        Backend.FASTER_WHISPER,
        FasterWhisperModelConfig(sys.argv[1], device="cpu", compute_type="int8"),
        FasterWhisperTranscribeConfig(beam_size=int(sys.argv[2])),
        FasterWhisperFeatureExtractorConfig(),
    )
    hear = processor.backend.transcribe
    processor.backend.transcribe = lambda sound, prompt: hear(sound, prompt or None)
    processor.run()
    sender.finish()
    wire.done()


if __name__ == "__main__":
    main()
