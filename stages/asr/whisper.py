"""Whisper by faster-whisper, with windows no longer than the utterance needs."""

from __future__ import annotations

import logging
import math
import threading
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from stages.asr.hallucination import Decoding, is_doubtful, rejection
from stages.base import EngineError
from stages.gpu import hidden
from stages.weights.resolve import resolve
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Samples, Transcript, Word
from stream.languages import among

DEFAULT_MODEL = "tiny.en"

_FRAME_SAMPLES = 160
"""Samples in one mel frame."""
_WHOLE_FRAMES = 3000
"""Frames of the 30 s window that Whisper was trained on."""
_SHORTEST_FRAMES = 1200
# Below 1200 frames, or with less than 3 s after the speech, tiny.en repeats one utterance in eight;
# above, its word error rate is that of the full window.
_AFTER_FRAMES = 300
_BUCKET_FRAMES = 100
_INAUDIBLE_PEAK = 1e-4
"""Peak below which audio is silence, whatever the model would make of it."""
_SECOND_BEAM = 5

_log = logging.getLogger(__name__)


def window_frames(samples: int) -> int:
    """Mel frames to encode for this much audio, rounded up so that few shapes occur."""
    needed = samples / _FRAME_SAMPLES + _AFTER_FRAMES
    return min(
        _WHOLE_FRAMES, max(_SHORTEST_FRAMES, math.ceil(needed / _BUCKET_FRAMES) * _BUCKET_FRAMES)
    )


class _ShortWindowWhisper(WhisperModel):  # type: ignore[misc]
    """Encodes only the first frames of the padded window: the cost falls with them.

    The number is per thread: a cancelled call may still be running in another.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.window = threading.local()

    def encode(self, features: Any) -> Any:
        frames = getattr(self.window, "frames", _WHOLE_FRAMES)
        return super().encode(np.ascontiguousarray(features[..., :frames]))

    def _split_segments_by_timestamps(self, *args: Any, **kwargs: Any) -> Any:
        # Without timestamps one pass is the whole window; unless it says that it ended at
        # one, timing the words makes ``transcribe`` decode the tail once more.
        segments, seek, _ = super()._split_segments_by_timestamps(*args, **kwargs)
        return segments, seek, True


def _tell(device: str) -> None:
    """Say where recognition runs, and why it is not where one would expect it."""
    _log.info("recognition runs on the %s", "CPU" if device == "cpu" else "GPU")
    if device == "cpu" and hidden():
        _log.warning(
            "this machine has an NVIDIA GPU that livedub may not use: allow its devices "
            "(PrivateDevices and DeviceAllow of systemd, --gpus of docker)"
        )


class FasterWhisper:
    """A recogniser for Whisper models in CTranslate2 form.

    Args:
        model: a path, a hub id or a known name; ``default`` is ``tiny.en``.
        language: code of the speech, with or without a region; empty to detect it in each
            utterance.
        threads: of the CPU.
        beam_size: hypotheses kept in the first pass.
        compute_type: CTranslate2's, such as ``int8``, ``float16`` or ``default``.

    Raises:
        EngineError: if the model cannot be loaded or does not know the language.
    """

    def __init__(
        self,
        model: str = "default",
        language: str = "en",
        threads: int = 2,
        beam_size: int = 1,
        compute_type: str = "int8",
    ) -> None:
        name = DEFAULT_MODEL if model == "default" else model
        path = resolve(name)
        try:
            self._model = _ShortWindowWhisper(
                str(path), device="auto", compute_type=compute_type, cpu_threads=threads
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineError(
                f"asr.model '{name}' cannot be loaded as Whisper in CTranslate2 form: {error}."
            ) from error
        _tell(self._model.model.device)
        known = self._model.supported_languages
        self._language = among(language, known) if language else None
        if language and self._language is None:
            raise EngineError(
                f"asr.model '{name}' does not know '{language}', only {', '.join(sorted(known))}"
                f"{'' if len(known) > 1 else '; choose a multilingual one, such as base'}."
            )
        self._beam_size = beam_size
        # English writes about 6 tokens a second; other scripts up to four times as many.
        self._tokens_per_second = 30 if self._model.model.is_multilingual else 10
        self._worker = Worker("asr")
        self._decode(np.zeros(SPEECH_RATE, np.float32), _SHORTEST_FRAMES, beam_size, words=False)

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe one utterance; deterministic.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(n,)``, up to 30 s.
            words: also time the words, for cutting long speech.
        """
        return await self._worker.run(lambda: self._recognise(audio, words))

    async def aclose(self) -> None:
        """End the recogniser's thread."""
        await self._worker.aclose()

    def _recognise(self, audio: Samples, words: bool) -> Transcript:
        if not len(audio) or np.abs(audio).max() < _INAUDIBLE_PEAK:
            return Transcript("", self._language or "")
        frames = window_frames(len(audio))
        decoding, transcript = self._decode(audio, frames, self._beam_size, words=words)
        if is_doubtful(decoding):
            beam_size = max(self._beam_size, _SECOND_BEAM)
            decoding, transcript = self._decode(audio, _WHOLE_FRAMES, beam_size, words=words)
        reason = rejection(decoding)
        if reason is not None:
            return Transcript("", transcript.language, rejected=reason)
        return transcript

    def _decode(
        self, audio: Samples, frames: int, beam_size: int, *, words: bool
    ) -> tuple[Decoding, Transcript]:
        seconds = len(audio) / SPEECH_RATE
        self._model.window.frames = frames
        found, info = self._model.transcribe(
            audio.astype(np.float32, copy=False),
            language=self._language,
            beam_size=beam_size,
            temperature=0.0,
            # One pass over the window: with timestamps Whisper would decode its tail again.
            without_timestamps=True,
            word_timestamps=words,
            condition_on_previous_text=False,
            max_new_tokens=min(400, 16 + math.ceil(self._tokens_per_second * seconds)),
            # The guards are ours: they reject with a reason.
            no_speech_threshold=None,
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        segments = list(found)
        text = "".join(segment.text for segment in segments).strip()
        decoding = Decoding(
            text,
            seconds,
            max((segment.no_speech_prob for segment in segments), default=1.0),
            min((segment.avg_logprob for segment in segments), default=0.0),
        )
        timed = tuple(
            Word(
                word.word.strip(),
                float(word.start),
                float(word.end),
                float(word.probability),
                joined=not word.word.startswith(" "),
            )
            for segment in segments
            for word in segment.words or ()
        )
        return decoding, Transcript(text, info.language, timed)
