"""Voice activity detection: Silero, window by window, its recurrent state kept between calls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from faster_whisper.vad import get_vad_model

from stream.flow.worker import Worker
from stream.frames import Samples
from stream.sound.activity import speech_intervals
from stream.timeline import Interval

_WINDOW_SAMPLES = 512
_CONTEXT_SAMPLES = 64
_BATCH_WINDOWS = 2048
"""Windows in one run of the graph: bounds memory when a file's audio comes in one piece."""


@dataclass(frozen=True)
class _State:
    """What the network remembers: LSTM states ``(1, 1, 128)`` and the last samples seen."""

    h: Samples
    c: Samples
    context: Samples

    @staticmethod
    def initial() -> _State:
        silence = np.zeros((1, 1, 128), np.float32)
        return _State(silence, silence, np.zeros(_CONTEXT_SAMPLES, np.float32))


class SileroDetector:
    """Rolling Silero VAD v6, from the ONNX graph that faster-whisper carries.

    The graph is loaded once a process and shared; the state is this detector's own. A
    cancelled call leaves the state as it was before it.
    """

    window = _WINDOW_SAMPLES

    def __init__(self) -> None:
        self._session = get_vad_model().session
        self._state = _State.initial()
        self._worker = Worker("vad")

    async def probabilities(self, audio: Samples) -> Samples:
        """Speech probability of each window in ``audio``, shape ``(n / 512,)``.

        Args:
            audio: mono at ``SPEECH_RATE``, a whole number of windows, following the last call's.

        Raises:
            ValueError: if ``audio`` is not a whole number of windows.
        """
        if audio.ndim != 1 or len(audio) % _WINDOW_SAMPLES:
            raise ValueError(
                f"audio of shape {audio.shape} is not whole windows of {_WINDOW_SAMPLES}"
            )
        if not len(audio):
            return np.zeros(0, np.float32)
        state = self._state
        result, self._state = await self._worker.run(lambda: self._infer(audio, state))
        return result

    async def aclose(self) -> None:
        """End the detector's thread."""
        await self._worker.aclose()

    def _infer(self, audio: Samples, state: _State) -> tuple[Samples, _State]:
        heard = np.concatenate([state.context, audio.astype(np.float32, copy=False)])
        windows = np.lib.stride_tricks.sliding_window_view(
            heard, _CONTEXT_SAMPLES + _WINDOW_SAMPLES
        )[::_WINDOW_SAMPLES]
        h, c = state.h, state.c
        outputs: list[Samples] = []
        for start in range(0, len(windows), _BATCH_WINDOWS):
            batch = np.ascontiguousarray(windows[start : start + _BATCH_WINDOWS])
            output, h, c = self._session.run(None, {"input": batch, "h": h, "c": c})
            outputs.append(output.reshape(-1))
        return np.concatenate(outputs), _State(h, c, heard[-_CONTEXT_SAMPLES:].copy())


async def speech_in(audio: Samples) -> list[Interval]:
    """Stretches of speech in a whole recording, ticks; see ``speech_intervals``.

    Args:
        audio: mono at ``SPEECH_RATE`` from media time 0, shape ``(n,)``.
    """
    detector = SileroDetector()
    try:
        padded = np.pad(audio, (0, -len(audio) % _WINDOW_SAMPLES))
        return speech_intervals(await detector.probabilities(padded), _WINDOW_SAMPLES)
    finally:
        await detector.aclose()
