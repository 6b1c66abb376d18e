"""RealtimeSTT: an utterance is recognised once 0.6 s of silence have ended it.

    apt install portaudio19-dev && pip install torch==2.13.0 'RealtimeSTT[recommended]==1.1.2'

Fed with sound instead of a microphone; everything else is the package's default. An utterance's
time is that of its recording, minus the silence that ended it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque

from RealtimeSTT import AudioToTextRecorder

from benchmarks.peers.wire import Wire

SILENCE = 0.6


class Listener:
    """Notes when utterances are recorded, and commits their text."""

    def __init__(self, wire: Wire, model: str, beam: int) -> None:
        self._wire = wire
        self._onset = 0.0
        self._spans = deque[tuple[float, float]]()
        self.recorder = AudioToTextRecorder(
            model,
            device="cpu",
            compute_type="int8",
            language="en",
            beam_size=beam,
            use_microphone=False,
            spinner=False,
            no_log_file=True,
            post_speech_silence_duration=SILENCE,
            on_recording_start=self._started,
            on_recording_stop=self._stopped,
        )

    @property
    def busy(self) -> bool:
        """Whether something is being recorded or recognised."""
        return self.recorder.is_recording or bool(self._spans)

    def run(self) -> None:
        """Commit one utterance after the other, for ever."""
        while True:
            text = self.recorder.text()
            self._wire.commit(text or "", *self._spans[0])
            self._spans.popleft()

    def _started(self) -> None:
        self._onset = self._wire.heard

    def _stopped(self) -> None:
        self._spans.append((self._onset, self._wire.heard - SILENCE))


def main() -> None:
    """Listen until the line is closed."""
    wire = Wire()
    listener = Listener(wire, sys.argv[1], int(sys.argv[2]))
    threading.Thread(target=listener.run, daemon=True).start()
    for block in wire.blocks():
        listener.recorder.feed_audio(block)
    while listener.busy:
        time.sleep(0.05)
    wire.done()


if __name__ == "__main__":
    main()
