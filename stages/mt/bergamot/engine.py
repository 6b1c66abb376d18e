"""Bergamot: Firefox's small translation models."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from stages.base import EngineError, Rendering, TargetWord
from stages.mt.alignment import (
    UNSPACED,
    Portion,
    aligned,
    combined,
    may_follow,
    offsets,
    placed,
)
from stages.mt.bergamot.phrasebook import PHRASES
from stages.mt.bergamot.student import END, Hypothesis, Student
from stages.mt.variants import targets
from stages.text.sentences import portions
from stages.weights.resolve import resolve
from stream.flow.worker import Worker
from stream.languages import base

PAIRS = (("en", "pt"), ("pt", "en"))
"""Of the embedded models."""

_LIMIT_CHARACTERS = 200
"""Characters translated at once: the tiny models derail on longer text."""

RECENT = 64
"""Translations kept in the cache."""


class Bergamot:
    """A translator that runs one of Firefox's models.

    Args:
        model: ``default`` for the pair's own, or the path of a folder with a model
            (``model*.bin``) and its vocabulary (``vocab*.spm``, or ``srcvocab*.spm`` and
            ``trgvocab*.spm``), as Firefox has them.
        source: ISO 639-1 code, with or without a region.
        target: likewise.
        threads: unused, one is enough for matrices as small.
        beam_size: hypotheses kept.

    Raises:
        EngineError: if there is no model for the pair, or it cannot be used.
    """

    def __init__(
        self,
        model: str = "default",
        source: str = "en",
        target: str = "pt",
        threads: int = 1,
        beam_size: int = 1,
    ) -> None:
        pair = base(source), base(target)
        folder = resolve(_named(model, pair, source, target))
        self._student = Student(_only(folder, "model*.bin"))
        self._read, self._write = _vocabularies(folder)
        sizes = self._read.vocab_size(), self._write.vocab_size()
        if any(map(int.__gt__, sizes, self._student.vocabularies)):
            raise EngineError(f"{folder} holds a vocabulary of another model.")
        self._may_follow = _may_follow(self._write, self._student.vocabularies[1])
        self._phrases = PHRASES.get(pair, {})
        self._target = pair[1]
        self._spaced = pair[1] not in UNSPACED
        self._beam_size = beam_size
        self._worker = Worker("mt")
        # Deterministic, and alternatives are asked for right after the first translation.
        self._found = functools.lru_cache(RECENT)(self._search)
        self._renderings("1.", "", 1)

    async def translate(self, text: str) -> str:
        """Translate one utterance's text, sentence by sentence; deterministic."""
        found = await self._worker.run(lambda: self._renderings(text, "", 1))
        return found[0].text if found else ""

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """The likeliest translations that beam search finds, and shorter forms of the best."""
        return await self._worker.run(lambda: self._renderings(text, "", count))

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        """What follows ``spoken``; see ``ContinuingTranslator``."""
        return await self._worker.run(lambda: self._renderings(text, spoken, count))

    async def aclose(self) -> None:
        """End the engine's thread."""
        await self._worker.aclose()

    def _renderings(self, text: str, spoken: str, count: int) -> list[Rendering]:
        # Lone surrogates cannot cross into the tokeniser.
        text, spoken = (one.encode(errors="replace").decode() for one in (text, spoken.strip()))
        parts = portions(text, _LIMIT_CHARACTERS)
        if not parts:
            return []
        found = [
            self._found(part, "" if number else spoken, count) for number, part in enumerate(parts)
        ]
        return combined(found, placed(text, parts), " " if self._spaced else "", count)

    def _search(self, text: str, spoken: str, count: int) -> Sequence[Portion]:
        phrase = _phrase(text)
        if phrase in self._phrases and not spoken:
            said = _like(text, self._phrases[phrase])
            return [Portion(said, 0.0, 1, (TargetWord(said, 0),))]
        source = self._read.encode(text)
        found = self._student.search(
            source,
            max(count, self._beam_size),
            self._write.encode(spoken) if spoken else (),
            self._may_follow if spoken and self._spaced else None,
        )
        pieces = [self._read.id_to_piece(token) for token in source]
        places = [*offsets(text, pieces), None]
        translations = [self._portion(one, places) for one in found]
        # What is not in the vocabulary comes out as a dash: better left as it stands.
        if _says(text) and not spoken and not any(_says(one.text) for one in translations):
            return [Portion(text, 0.0, 1, (TargetWord(text, 0),))]
        if count > 1 and translations and not spoken:
            translations += self._shorter(source, translations[0].text)
        return translations

    def _portion(self, one: Hypothesis, places: Sequence[int | None]) -> Portion:
        pieces = [self._write.id_to_piece(token) for token in one.tokens]
        words = aligned(
            pieces, one.attention, places, self._write.decode_pieces, spaced=self._spaced
        )
        return Portion(self._write.decode_pieces(pieces).strip(), one.total, one.length, words)

    def _shorter(self, source: Sequence[int], translation: str) -> list[Portion]:
        """Shorter forms of a translation, as likely as the model finds them."""
        found = []
        for text in targets(translation, self._target):
            tokens = self._write.encode(text)
            length = len(tokens) + 1
            found.append(Portion(text, self._student.score(source, tokens) * length, length))
        return found


def _named(model: str, pair: tuple[str, str], source: str, target: str) -> str:
    own = f"bergamot-{pair[0]}-{pair[1]}"
    if model == "default" and pair not in PAIRS:
        choices = ", ".join(f"{one} to {other}" for one, other in PAIRS)
        raise EngineError(
            f"mt.engine 'bergamot' cannot turn '{source}' into '{target}', only {choices}; "
            "set mt.model to a folder with a Firefox model for other languages, or mt.engine to "
            "ctranslate2."
        )
    if model.startswith("bergamot-") and model != own:
        raise EngineError(f"mt.model is '{model}', but '{source}' to '{target}' needs '{own}'.")
    return own if model == "default" else model


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if len(found) != 1:
        state = "several files" if found else "no file"
        raise EngineError(f"{folder} holds {state} {pattern}: it must be a Firefox model's folder.")
    return found[0]


def _vocabularies(
    folder: Path,
) -> tuple[sentencepiece.SentencePieceProcessor, sentencepiece.SentencePieceProcessor]:
    names = ("srcvocab*.spm", "trgvocab*.spm") if [*folder.glob("srcvocab*")] else ("vocab*.spm",)
    read = []
    for path in (_only(folder, name) for name in names):
        try:
            read.append(sentencepiece.SentencePieceProcessor(model_file=str(path)))
        except (OSError, RuntimeError) as error:
            raise EngineError(f"{path} is no SentencePiece vocabulary: {error}.") from error
    return read[0], read[-1]


def _may_follow(vocabulary: sentencepiece.SentencePieceProcessor, size: int) -> NDArray[np.bool_]:
    """Which tokens leave the word before them as it is."""
    allowed = np.zeros(size, bool)
    for token in range(vocabulary.vocab_size()):
        allowed[token] = token == END or may_follow(vocabulary.id_to_piece(token))
    return allowed


def _says(text: str) -> bool:
    return any(map(str.isalnum, text))


def _phrase(text: str) -> str:
    return re.sub(r"[^\w' ]+", "", text.lower().replace("’", "'")).strip()


def _like(original: str, translated: str) -> str:
    """``translated`` with the capital and the final mark of ``original``."""
    start = translated[0].upper() if original[:1].isupper() else translated[0]
    mark = re.search(r"[.!?…]+$", original)
    return start + translated[1:] + (mark[0] if mark else "")
