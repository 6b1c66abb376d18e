"""Translation of speech into English by Whisper: from its sound, not from recognised words."""

from __future__ import annotations

import time

import numpy as np

from stages.asr.whisper_model import SHORTEST_FRAMES, shared
from stages.base import EngineError
from stages.weights.resolve import whisper_translates
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Samples
from stream.languages import among, same_language
from stream.sound.leveller import raised

DEFAULT_MODEL = "base"

USUAL = "and he asks whether he will be allowed to come in later on, perhaps tomorrow"
"""As much as is written for an utterance live, with what was spoken before."""


class WhisperTranslator:
    """See ``SpeechTranslator``; shares the model of a recogniser that uses the same one.

    Args:
        model: a path, a hub id or a known name; ``default`` is ``base``.
        source: ISO 639-1 code of the speech, with or without a region.
        target: English.
        threads: of the CPU.
        beam_size: hypotheses kept.
        compute_type: CTranslate2's, such as ``int8``, ``float16`` or ``default``.

    Raises:
        EngineError: if the model cannot be loaded, cannot translate or does not know the language.
    """

    def __init__(
        self,
        model: str = "default",
        source: str = "de",
        target: str = "en",
        threads: int = 2,
        beam_size: int = 2,
        compute_type: str = "int8",
    ) -> None:
        name = DEFAULT_MODEL if model == "default" else model
        if not same_language(target, "en"):
            raise EngineError(
                f"mt.engine 'whisper' translates into English alone, not into '{target}'."
            )
        if not whisper_translates(name):
            raise EngineError(
                f"mt.model '{name}' was not trained to translate; choose small or large-v3."
            )
        self._user = f"mt {source}"
        self._model = shared(name, compute_type, threads, self._user)
        language = among(source, self._model.languages) if self._model.multilingual else None
        if language is None:
            self._model.users.discard(self._user)
            raise EngineError(f"mt.model '{name}' does not translate from '{source}'.")
        self._language = language
        self._beam_size = beam_size
        self._worker = Worker("mt")
        for _ in range(2):  # the first one allocates
            began = time.perf_counter()
            self._write(USUAL)
        self.cost = time.perf_counter() - began

    async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
        """What is said, in English, from where ``spoken`` ends; deterministic."""
        heard = await self._worker.run(
            lambda: self._model.heard(
                raised(speech),
                self._language,
                self._beam_size,
                task="translate",
                begun=spoken.strip(),
            )
        )
        return heard.text

    async def aclose(self) -> None:
        """End the translator's thread."""
        self._model.users.discard(self._user)
        await self._worker.aclose()

    def _write(self, text: str) -> None:
        """What it takes to hear and write ``text``: each token takes as long, forced or not."""
        silence = np.zeros(2 * SPEECH_RATE, np.float32)
        beam = self._beam_size
        self._model.decode(silence, SHORTEST_FRAMES, self._language, beam, "translate", begun=text)
