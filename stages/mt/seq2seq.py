"""Marian, NLLB and M2M-100 models through CTranslate2."""

from __future__ import annotations

import re
from collections.abc import Sequence

import ctranslate2
import numpy as np

from stages.base import EngineError, Rendering
from stages.mt.alignment import (
    UNSPACED,
    Portion,
    aligned,
    combined,
    may_follow,
    offsets,
    placed,
)
from stages.mt.convert import converted
from stages.mt.tokens import tokens_of
from stages.text.sentences import portions
from stages.weights.resolve import resolve
from stream.flow.worker import Worker
from stream.languages import base

_LIMIT = 400
"""Characters in one sequence: under the 512 tokens that Marian can read."""
_OTHERS = 8
"""Tokens tried after a forced beginning where the likeliest one does not let it be."""
_PAIR = re.compile(r"opus-mt-(?:tc-\w+-)?([a-z]{2})-([a-z]{2})(?![a-z_])")
"""Names of models of one pair; others, such as en-zle, are of families of languages."""


class CTranslate2Translator:
    """A translator that runs a Marian, NLLB or M2M-100 model.

    Args:
        model: a folder or hub id, in CTranslate2 form or a transformers checkpoint, which is
            converted on first use.
        source: ISO 639-1 code, with or without a region.
        target: likewise.
        threads: of the CPU.
        beam_size: hypotheses kept.

    Raises:
        EngineError: if the model cannot be loaded or converted, or does not know the languages.
    """

    def __init__(
        self,
        model: str,
        source: str = "en",
        target: str = "pt",
        threads: int = 2,
        beam_size: int = 2,
    ) -> None:
        pair = base(source), base(target)
        named = _PAIR.search(model)
        if named and named.groups() != pair:
            raise EngineError(
                f"mt.model '{model}' turns '{named[1]}' into '{named[2]}', "
                f"not '{source}' into '{target}'."
            )
        folder = converted(resolve(model), model)
        self._tokens = tokens_of(folder, source, target)
        try:
            self._model = ctranslate2.Translator(str(folder), device="auto", intra_threads=threads)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"mt.model '{model}' cannot be loaded: {error}.") from error
        self._space = "" if pair[1] in UNSPACED else " "
        self._beam_size = beam_size
        self._worker = Worker("mt")
        self._translate("1.")

    async def translate(self, text: str) -> str:
        """Translate one utterance's text, sentence by sentence; deterministic."""
        return await self._worker.run(lambda: self._translate(text))

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """The likeliest translations that beam search finds, with their probabilities."""
        return await self._worker.run(lambda: self._renderings(text, "", count))

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        """What follows ``spoken``; see ``ContinuingTranslator``."""
        return await self._worker.run(lambda: self._renderings(text, spoken, count, words=True))

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()

    def _translate(self, text: str) -> str:
        found = self._renderings(text, "", 1)
        return found[0].text if found else ""

    def _renderings(
        self, text: str, spoken: str, count: int, *, words: bool = False
    ) -> list[Rendering]:
        # Lone surrogates cannot cross into the tokeniser.
        text, spoken = (one.encode(errors="replace").decode() for one in (text, spoken.strip()))
        parts = portions(text, _LIMIT)
        if not parts:
            return []
        begun = self._tokens.encode_target(spoken) if spoken else []
        found = self._search(parts, begun, count, words=words)
        if begun and not found[0]:
            others = self._search(parts[:1], begun, _OTHERS, words=words, alternatives=True)
            found[0] = others[0][:count]
        return combined(found, placed(text, parts), self._space, count)

    def _search(
        self,
        parts: Sequence[str],
        begun: list[str],
        count: int,
        *,
        words: bool,
        alternatives: bool = False,
    ) -> list[list[Portion]]:
        """Translations of each portion, of the first one those that go on from ``begun``."""
        tokens = self._tokens
        sources = [tokens.encode(part) for part in parts]
        prefixes = [[*tokens.prefix, *(() if n else begun)] for n in range(len(parts))]
        results = self._model.translate_batch(
            sources,
            target_prefix=prefixes if any(prefixes) else None,
            beam_size=1 if alternatives else max(self._beam_size, count),
            num_hypotheses=count,
            return_scores=True,
            return_attention=words,
            return_alternatives=alternatives,
            max_batch_size=16,
            max_decoding_length=20 + len(begun) + 2 * max(map(len, sources)),
            disable_unk=True,
        )
        found: list[list[Portion]] = []
        for part, source, prefix, result in zip(parts, sources, prefixes, results, strict=True):
            pieces = source[tokens.markers : -1]
            places = [*[None] * tokens.markers, *offsets(part, pieces), None]
            attention = result.attention if words else [None] * len(result.hypotheses)
            hypotheses = zip(result.hypotheses, result.scores, attention, strict=True)
            made = [self._portion(*one, len(prefix), places) for one in hypotheses]
            found.append([one for one in made if one is not None])
        return found

    def _portion(
        self,
        tokens: list[str],
        score: float,
        attention: list[list[float]] | None,
        forced: int,
        places: Sequence[int | None],
    ) -> Portion | None:
        """What follows the forced tokens; ``None`` if it changes the last word of them."""
        own = tokens[forced:]
        begun = forced > len(self._tokens.prefix)
        if begun and self._space and own and not may_follow(own[0]):
            return None
        text, total = self._tokens.decode(own), score * len(tokens)
        if attention is None:
            return Portion(text, total, max(len(own), 1))
        rows = np.array(attention[forced:], np.float32).reshape(len(own), -1)[:, : len(places)]
        words = aligned(own, rows, places, self._tokens.decode, spaced=bool(self._space))
        return Portion(text, total, max(len(own), 1), words)
