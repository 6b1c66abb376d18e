"""A recogniser that is given speech with its steady noise suppressed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np

from stages.base import EngineError, MultilingualRecogniser, Recogniser
from stream.flow.worker import Worker
from stream.frames import SPEECH_RATE, Samples, Transcript
from stream.sound.denoise import afftdn, arnndn


class DenoisedRecogniser:
    """See ``Recogniser``; denoising is for recognition alone, the viewer's sound stays as it is.

    Making one blocks, as it tries the filter.

    Args:
        recogniser: recognises what is left; its owner closes it.
        method: FFmpeg's filter.
        model: of arnndn, an ``.rnnn`` file.

    Raises:
        EngineError: if the model cannot be used.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        method: Literal["afftdn", "arnndn"],
        model: Path | None = None,
    ) -> None:
        self._recogniser = recogniser
        self._method = method
        self._model = model or Path()
        self._worker = Worker("denoise")
        if method == "arnndn" and not self._model.is_file():
            raise EngineError("asr.denoise_model cannot be used: it is no regular file.")
        try:
            self._denoise(np.zeros(SPEECH_RATE // 10, np.float32))
        except ValueError as error:
            raise EngineError(f"asr.denoise_model cannot be used: {error}.") from error

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe one utterance without its noise."""
        return await self._recogniser.recognise(await self._clean(audio), words=words)

    @property
    def known(self) -> Collection[str]:
        """Languages that the recogniser can tell apart; none if it cannot."""
        recogniser = self._recogniser
        return recogniser.known if isinstance(recogniser, MultilingualRecogniser) else ()

    async def languages(self, audio: Samples) -> dict[str, float]:
        """Tell the language of speech without its noise."""
        assert isinstance(self._recogniser, MultilingualRecogniser)
        return await self._recogniser.languages(await self._clean(audio))

    async def recognise_in(
        self, audio: Samples, language: str, *, words: bool = False
    ) -> Transcript:
        """Transcribe one utterance in a language, without its noise."""
        assert isinstance(self._recogniser, MultilingualRecogniser)
        return await self._recogniser.recognise_in(await self._clean(audio), language, words=words)

    async def aclose(self) -> None:
        """End the thread."""
        await self._worker.aclose()

    async def _clean(self, audio: Samples) -> Samples:
        return await self._worker.run(lambda: self._denoise(audio))

    def _denoise(self, audio: Samples) -> Samples:
        if self._method == "afftdn":
            return afftdn(audio, SPEECH_RATE)
        return arnndn(audio, SPEECH_RATE, self._model)
