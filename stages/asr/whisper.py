"""Recognition by faster-whisper."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from stages.asr.whisper_model import SHORTEST_FRAMES, shared
from stages.base import EngineError
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Samples, Transcript
from stream.languages import among
from stream.sound.leveller import raised

DEFAULT_MODEL = "tiny.en"


class FasterWhisper:
    """A recogniser for Whisper models in CTranslate2 form.

    Args:
        model: a path, a hub id or a known name; ``default`` is ``tiny.en``.
        language: code of the speech, with or without a region; empty for a multilingual model
            that is told the language of each utterance, or else detects it.
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
        self._user = f"asr {language}"
        self._model = shared(name, compute_type, threads, self._user)
        known = self._model.languages
        self._language = among(language, known) if language else None
        if not language and not self._model.multilingual:
            self._model.users.discard(self._user)
            raise EngineError(
                f"asr.model '{name}' knows one language, but languages.source is auto or several; "
                "choose a multilingual one, such as base."
            )
        if language and self._language is None:
            self._model.users.discard(self._user)
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

    @property
    def known(self) -> Collection[str]:
        """Codes of the languages that the model knows."""
        return self._model.languages

    async def languages(self, audio: Samples) -> dict[str, float]:
        """The probability of each language; see ``MultilingualRecogniser``."""
        if not self._model.multilingual:
            return dict.fromkeys(self._model.languages, 1.0)
        return await self._worker.run(lambda: self._model.likely(raised(audio)))

    async def recognise_in(
        self, audio: Samples, language: str, *, words: bool = False
    ) -> Transcript:
        """Transcribe one utterance in a language; see ``recognise``."""
        code = among(language, self._model.languages)
        return await self._worker.run(
            lambda: self._model.heard(audio, code, self._beam_size, words=words)
        )

    async def aclose(self) -> None:
        """End the recogniser's thread."""
        self._model.users.discard(self._user)
        await self._worker.aclose()
