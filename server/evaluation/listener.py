"""A recogniser that listens to the dub: what is not understood was not well spoken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from server.evaluation.performance import Spoken
from server.evaluation.words import word_edits
from stages.registry import create
from stream.frames import SPEECH_RATE, Samples

_BEFORE, _AFTER = 0.1, 0.2
"""Seconds of sound around a dub that the recogniser hears too."""


class Listener:
    """Hears dubs in one language.

    Args:
        language: of the dub, ISO 639-1.
        model: a Whisper model that knows it; see ``asr.model``.

    Raises:
        EngineError: if the model cannot be had or does not know the language.
    """

    def __init__(self, language: str, model: str) -> None:
        self._language = language
        self._recogniser = create("asr", "faster-whisper", model=model, language=language)

    def edits(
        self, dub: Samples, utterances: Sequence[Spoken]
    ) -> Iterator[tuple[Spoken, tuple[int, int]]]:
        """For each utterance that was dubbed its word edits and its words.

        Args:
            dub: the dubbed track, mono at ``SPEECH_RATE``, shape ``(n,)``.
            utterances: with the times at which they are heard.
        """
        for utterance in utterances:
            if utterance.dub is None:
                continue
            start = max(0, round((utterance.dub[0] - _BEFORE) * SPEECH_RATE))
            piece = dub[start : round((utterance.dub[1] + _AFTER) * SPEECH_RATE)]
            heard = asyncio.run(self._recogniser.recognise(piece[: 30 * SPEECH_RATE]))
            yield utterance, word_edits(utterance.translation, heard.text, self._language)

    def close(self) -> None:
        """Free the model."""
        asyncio.run(self._recogniser.aclose())
