"""Intelligibility: a recogniser transcribes the dub, and its errors are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from server.evaluation.performance import Spoken
from server.evaluation.words import word_edits
from stages.registry import create
from stream.frames import SPEECH_RATE, Samples

_BEFORE_S, _AFTER_S = 0.1, 0.2
"""Sound around a dub that is given to the recogniser as well."""


class Listener:
    """Transcribes dubs in one language.

    Args:
        language: of the dub, ISO 639-1.
        model: a Whisper model for that language; see ``asr.model``.

    Raises:
        EngineError: if the model cannot be loaded or does not know the language.
    """

    def __init__(self, language: str, model: str) -> None:
        self._language, self.model = language, model
        self._recogniser = create("asr", "faster-whisper", model=model, language=language)

    def edits(
        self, dub: Samples, utterances: Sequence[Spoken]
    ) -> Iterator[tuple[Spoken, tuple[int, int]]]:
        """Word edits and number of words of each utterance that was dubbed.

        Args:
            dub: the dubbed track, mono at ``SPEECH_RATE``, shape ``(n,)``.
            utterances: with their times in the dubbed track.
        """
        for utterance in utterances:
            if utterance.dub is None:
                continue
            start = max(0, round((utterance.dub[0] - _BEFORE_S) * SPEECH_RATE))
            piece = dub[start : round((utterance.dub[1] + _AFTER_S) * SPEECH_RATE)]
            transcript = asyncio.run(self._recogniser.recognise(piece[: 30 * SPEECH_RATE]))
            yield utterance, word_edits(utterance.translation, transcript.text, self._language)

    def close(self) -> None:
        """Free the model."""
        asyncio.run(self._recogniser.aclose())
