"""Marian, NLLB and M2M-100 models through CTranslate2."""

from __future__ import annotations

import re
from typing import Any

import ctranslate2

from stages.base import EngineError, Rendering
from stages.mt.convert import converted
from stages.mt.tokens import tokens_of
from stages.text.sentences import portions
from stages.weights.resolve import resolve
from stream.flow.worker import Worker

_LIMIT = 400
"""Characters in one sequence: under the 512 tokens that Marian can read."""
_UNSPACED = ("zh", "ja", "th", "lo", "km", "my")
_PAIR = re.compile(r"opus-mt-(?:tc-\w+-)?([a-z]{2})-([a-z]{2})")


class CTranslate2Translator:
    """A translator that runs a Marian, NLLB or M2M-100 model.

    Args:
        model: a folder or hub id, in CTranslate2 form or a transformers checkpoint, which is
            converted on first use; ``default`` is ``Helsinki-NLP/opus-mt-<source>-<target>``.
        source: ISO 639-1 code, with or without a region.
        target: likewise.
        threads: of the CPU.
        beam_size: hypotheses kept.

    Raises:
        EngineError: if the model cannot be loaded or converted, or does not know the languages.
    """

    def __init__(
        self,
        model: str = "default",
        source: str = "en",
        target: str = "pt",
        threads: int = 2,
        beam_size: int = 2,
    ) -> None:
        pair = source.lower().split("-")[0], target.lower().split("-")[0]
        name = f"Helsinki-NLP/opus-mt-{pair[0]}-{pair[1]}" if model == "default" else model
        named = _PAIR.search(name)
        if named and named.groups() != pair:
            raise EngineError(
                f"mt.model '{name}' turns '{named[1]}' into '{named[2]}', "
                f"not '{source}' into '{target}'."
            )
        folder = converted(resolve(name), name)
        self._tokens = tokens_of(folder, source, target)
        try:
            self._model = ctranslate2.Translator(str(folder), device="auto", intra_threads=threads)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"mt.model '{name}' cannot be loaded: {error}.") from error
        self._space = "" if pair[1] in _UNSPACED else " "
        self._beam_size = beam_size
        self._worker = Worker("mt")
        self._translate("1.")

    async def translate(self, text: str) -> str:
        """Translate one utterance's text, sentence by sentence; deterministic."""
        return await self._worker.run(lambda: self._translate(text))

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """The likeliest translations that beam search finds, with their probabilities."""
        return await self._worker.run(lambda: self._alternatives(text, count))

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()

    def _translate(self, text: str) -> str:
        results = self._search(text, 1)
        return self._space.join(
            filter(None, (self._tokens.decode(r.hypotheses[0]) for r in results))
        )

    def _alternatives(self, text: str, count: int) -> list[Rendering]:
        # Sums over sentences: text, log-probability, tokens.
        best = [("", 0.0, 0)]
        for result in self._search(text, count):
            longer = [
                (
                    self._space.join(filter(None, (text, self._tokens.decode(tokens)))),
                    total + score * len(tokens),
                    length + len(tokens),
                )
                for text, total, length in best
                for tokens, score in zip(result.hypotheses, result.scores, strict=True)
            ]
            best = sorted(longer, key=lambda sum_: -sum_[1] / max(sum_[2], 1))[:count]
        distinct = dict.fromkeys(text for text, _, _ in best if text)
        scores = {text: total / max(length, 1) for text, total, length in reversed(best)}
        return [Rendering(text, scores[text]) for text in distinct]

    def _search(self, text: str, count: int) -> list[Any]:
        """Results of the sentences of ``text``, each with ``count`` hypotheses and their scores."""
        # Lone surrogates cannot cross into the tokeniser.
        clean = text.encode(errors="replace").decode()
        sentences = [self._tokens.encode(portion) for portion in portions(clean, _LIMIT)]
        if not sentences:
            return []
        prefix = self._tokens.prefix
        found: list[Any] = self._model.translate_batch(
            sentences,
            target_prefix=[prefix] * len(sentences) if prefix else None,
            beam_size=max(self._beam_size, count),
            num_hypotheses=count,
            return_scores=True,
            max_batch_size=16,
            max_decoding_length=20 + 2 * max(map(len, sentences)),
            disable_unk=True,
        )
        return found
