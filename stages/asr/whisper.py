"""Recognition by faster-whisper."""

from __future__ import annotations

import numpy as np

from stages.asr.whisper_model import SHORTEST_FRAMES, shared
from stages.base import EngineError
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Samples, Transcript
from stream.languages import among

DEFAULT_MODEL = "tiny.en"


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
        self._model = shared(name, compute_type, threads, "asr")
        known = self._model.languages
        self._language = among(language, known) if language else None
        if language and self._language is None:
            self._model.users.discard("asr")
            raise EngineError(
                f"asr.model '{name}' does not know '{language}', only {', '.join(sorted(known))}"
                f"{'' if len(known) > 1 else '; choose a multilingual one, such as base'}."
            )
        self._beam_size = beam_size
        self._worker = Worker("asr")
        silence = np.zeros(SPEECH_RATE, np.float32)
        self._model.decode(silence, SHORTEST_FRAMES, self._language, beam_size)

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe one utterance; deterministic.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(n,)``, up to 30 s.
            words: also time the words, for cutting long speech.
        """
        return await self._worker.run(
            lambda: self._model.heard(audio, self._language, self._beam_size, words=words)
        )

    async def aclose(self) -> None:
        """End the recogniser's thread."""
        self._model.users.discard("asr")
        await self._worker.aclose()
