"""A Whisper model in CTranslate2 form, with windows no longer than the utterance needs."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
import weakref
from typing import Any, Literal

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim

from stages.asr.hallucination import Decoding, is_doubtful, rejection
from stages.base import EngineError
from stages.gpu import hidden
from stages.weights.resolve import resolve
from stream.frames import SPEECH_RATE, Samples, Transcript, Word

Task = Literal["transcribe", "translate"]

_FRAME_SAMPLES = 160
"""Samples in one mel frame."""
_WHOLE_FRAMES = 3000
"""Frames of the 30 s window that Whisper was trained on."""
SHORTEST_FRAMES = 1200
# Below 1200 frames, or with less than 3 s after the speech, tiny.en repeats one utterance in eight;
# above, its word error rate is that of the full window.
_AFTER_FRAMES = 300
_BUCKET_FRAMES = 100
_TOLD_AFTER_FRAMES = 150
"""Frames after the speech from which its language is told; it is told as well as from 30 s."""
_ENGLISH_TOKENS, _MOST_TOKENS = 10, 30
"""Most tokens of a second of speech."""
_INAUDIBLE_PEAK = 1e-4
"""Peak below which audio is silence, whatever the model would make of it."""
_SECOND_BEAM = 5

_log = logging.getLogger(__name__)


def window_frames(samples: int) -> int:
    """Mel frames to encode for this much audio, rounded up so that few shapes occur."""
    needed = samples / _FRAME_SAMPLES + _AFTER_FRAMES
    return min(
        _WHOLE_FRAMES, max(SHORTEST_FRAMES, math.ceil(needed / _BUCKET_FRAMES) * _BUCKET_FRAMES)
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


class Whisper:
    """One model in memory, for all that use it; every method blocks.

    Args:
        name: a path, a hub id or a known name.
        compute_type: CTranslate2's, such as ``int8``, ``float16`` or ``default``.
        threads: of the CPU, for each call.
        setting: that names the model, for messages.

    Raises:
        EngineError: if the model cannot be loaded.
    """

    def __init__(self, name: str, compute_type: str, threads: int, setting: str) -> None:
        try:
            self._model = _ShortWindowWhisper(
                str(resolve(name)),
                device="auto",
                compute_type=compute_type,
                cpu_threads=threads,
                # Workers share the weights; recognition and translation need not wait for another.
                num_workers=2,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineError(
                f"{setting} '{name}' cannot be loaded as Whisper in CTranslate2 form: {error}."
            ) from error
        _tell(self._model.model.device)
        self.multilingual: bool = self._model.model.is_multilingual
        self.languages: list[str] = self._model.supported_languages
        self.users: set[str] = set()
        """What it is used for; see ``shared``."""

    def heard(
        self,
        audio: Samples,
        language: str | None,
        beam_size: int,
        *,
        task: Task = "transcribe",
        words: bool = False,
        begun: str = "",
    ) -> Transcript:
        """What is said in ``audio``; heard twice where the first pass is doubtful.

        What goes on from ``begun`` is heard once: it is empty if that is doubtful.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(n,)``, up to 30 s.
            language: that it is said in, one of ``languages``; ``None`` to have it detected.
            beam_size: hypotheses kept in the first pass.
            task: whether it is written as it is said, or in English.
            words: also time the words.
            begun: how the text begins; what follows is returned. Not with ``words``.
        """
        if not len(audio) or np.abs(audio).max() < _INAUDIBLE_PEAK:
            return Transcript("", language or "")
        frames = window_frames(len(audio))
        decoding, transcript = self.decode(
            audio, frames, language, beam_size, task, words=words, begun=begun
        )
        if begun and is_doubtful(decoding):
            return Transcript("", transcript.language, rejected="no continuation")
        if is_doubtful(decoding):
            beam_size = max(beam_size, _SECOND_BEAM)
            decoding, transcript = self.decode(
                audio, _WHOLE_FRAMES, language, beam_size, task, words=words
            )
        reason = rejection(decoding)
        if reason is not None:
            return Transcript("", transcript.language, rejected=reason)
        return transcript

    def encoding_s(self) -> float:
        """Wall seconds to encode the shortest window, at best."""
        features = np.zeros((1, self._model.model.n_mels, SHORTEST_FRAMES), np.float32)
        self._model.window.frames = SHORTEST_FRAMES
        times = []
        for _ in range(3):
            began = time.perf_counter()
            self._model.encode(features)
            times.append(time.perf_counter() - began)
        return min(times)

    def likely(self, audio: Samples) -> dict[str, float]:
        """The probability of each language; the window is no longer than the audio needs."""
        features = pad_or_trim(self._model.feature_extractor(audio), _WHOLE_FRAMES)
        needed = len(audio) // _FRAME_SAMPLES + _TOLD_AFTER_FRAMES
        self._model.window.frames = min(needed, _WHOLE_FRAMES)
        found = self._model.model.detect_language(self._model.encode(features[np.newaxis]))
        return {token[2:-2]: float(probability) for token, probability in found[0]}

    def decode(
        self,
        audio: Samples,
        frames: int,
        language: str | None,
        beam_size: int,
        task: Task = "transcribe",
        *,
        words: bool = False,
        begun: str = "",
    ) -> tuple[Decoding, Transcript]:
        """One pass over a window of ``frames``, and what the guards need to judge it."""
        seconds = len(audio) / SPEECH_RATE
        # English writes about 6 tokens a second; other scripts up to four times as many.
        english = not self.multilingual or task == "translate"
        per_second = _ENGLISH_TOKENS if english else _MOST_TOKENS
        self._model.window.frames = frames
        found, info = self._model.transcribe(
            audio.astype(np.float32, copy=False),
            language=language,
            task=task,
            beam_size=beam_size,
            temperature=0.0,
            # One pass over the window: with timestamps Whisper would decode its tail again.
            without_timestamps=True,
            word_timestamps=words,
            condition_on_previous_text=False,
            prefix=begun or None,
            max_new_tokens=min(400, 16 + math.ceil(per_second * seconds)),
            # The guards are ours: they reject with a reason.
            no_speech_threshold=None,
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        segments = list(found)
        text = "".join(segment.text for segment in segments).strip()
        text = text.removeprefix(begun).strip()  # which it is made to begin with
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


@functools.cache
def encoding_s(name: str, compute_type: str, threads: int) -> float:
    """Wall seconds that this machine takes to encode the shortest window: half of a call, about.

    Loads the model for it, once for the life of the process.

    Args:
        name: see ``Whisper``.
        compute_type: the same.
        threads: the same.

    Raises:
        EngineError: if the model cannot be loaded.
    """
    return Whisper(name, compute_type, threads, "asr.model").encoding_s()


_loading = threading.Lock()
_loaded: weakref.WeakValueDictionary[tuple[str, str, int], Whisper] = weakref.WeakValueDictionary()


def shared(name: str, compute_type: str, threads: int, user: str) -> Whisper:
    """A model, which engines share: recognition and translation, of one language or another.

    One for the same use gets a model of its own, as an engine is made anew when it fails.

    Args:
        name: see ``Whisper``.
        compute_type: the same.
        threads: the same.
        user: kind of the engine, and its language; to be taken out of ``users`` when it ends.

    Raises:
        EngineError: if the model cannot be loaded.
    """
    key = (name, compute_type, threads)
    with _loading:
        model = _loaded.get(key)
        if model is None or user in model.users:
            model = _loaded[key] = Whisper(name, compute_type, threads, f"{user.split()[0]}.model")
        model.users.add(user)
        return model
