"""Text to the tokens of Marian, NLLB and M2M-100 models, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Protocol

from stages.base import EngineError
from stream.languages import among, base, container_tag

_END = "</s>"
_M2M = re.compile(r"__[a-z]{2,3}__")
# NLLB names the variety where ISO 639-2 names the macrolanguage.
_NLLB = {
    "ar": "arb_Arab", "az": "azj_Latn", "fa": "pes_Arab", "lv": "lvs_Latn", "mn": "khk_Cyrl",
    "ms": "zsm_Latn", "ne": "npi_Deva", "no": "nob_Latn", "or": "ory_Orya", "sq": "als_Latn",
    "sw": "swh_Latn", "uz": "uzn_Latn", "zh": "zho_Hans",
}  # fmt: skip

# Marian's models name the variety where a tag leaves it open: Portuguese is Brazilian here.
_MARIAN = {
    "zh": ("cmn_Hans", "cmn"), "zh-hant": ("cmn_Hant",), "zh-tw": ("cmn_Hant",),
    "zh-hk": ("cmn_Hant",), "pt": ("pob",), "pt-pt": ("por",),
}  # fmt: skip


class Tokens(Protocol):
    """How one model tokenises text."""

    def encode(self, text: str) -> list[str]:
        """Tokens for the encoder, markers included."""
        ...

    markers: int
    """How many of them come before the text's own."""

    prefix: list[str]
    """Tokens that the decoder is forced to begin with."""

    def encode_target(self, text: str) -> list[str]:
        """Tokens of a text in the target language, without markers."""
        ...

    def decode(self, tokens: list[str]) -> str:
        """Text of the decoder's tokens, ``prefix`` included or not."""
        ...


def tokens_of(folder: Path, source: str, target: str) -> Tokens:
    """The tokenisation that a converted model's folder asks for.

    Args:
        folder: with the vocabulary and the SentencePiece models.
        source: ISO 639-1 code, with or without a region.
        target: likewise.

    Raises:
        EngineError: if files are missing or the model does not know a language.
    """
    vocabulary = _vocabulary(folder)
    if any(re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", token) for token in vocabulary):
        names = (_nllb_code(source, vocabulary), _nllb_code(target, vocabulary))
        return _Multilingual(folder, *names)
    if "__en__" in vocabulary:
        names = (_m2m_code(source, vocabulary), _m2m_code(target, vocabulary))
        return _Multilingual(folder, *names)
    return _Marian(folder, target, vocabulary)


class _Marian:
    """A pair of SentencePiece models; a marker of the target where there are several."""

    def __init__(self, folder: Path, target: str, vocabulary: frozenset[str]) -> None:
        self._source = _sentencepiece(folder / "source.spm")
        self._target = _sentencepiece(folder / "target.spm")
        self._marker = _marian_marker(target, vocabulary)
        self.markers = len(self._marker)
        self.prefix: list[str] = []

    def encode(self, text: str) -> list[str]:
        return [*self._marker, *self._source.encode(text, out_type=str), _END]

    def encode_target(self, text: str) -> list[str]:
        return _encode(self._target, text)

    def decode(self, tokens: list[str]) -> str:
        return _decode(self._target, tokens)


class _Multilingual:
    """One SentencePiece model; the source's name goes first, the target's begins the output."""

    def __init__(self, folder: Path, source: str, target: str) -> None:
        self._pieces = _sentencepiece(folder / "sentencepiece.bpe.model")
        self._name = source
        self.markers = 1
        self.prefix = [target]

    def encode(self, text: str) -> list[str]:
        return [self._name, *self._pieces.encode(text, out_type=str), _END]

    def encode_target(self, text: str) -> list[str]:
        return _encode(self._pieces, text)

    def decode(self, tokens: list[str]) -> str:
        if tokens[: len(self.prefix)] == self.prefix:
            tokens = tokens[len(self.prefix) :]
        return _decode(self._pieces, tokens)


def _sentencepiece(path: Path) -> Any:
    import sentencepiece

    if not path.exists():
        raise EngineError(f"{path} is missing: copy it there from the model's checkpoint.")
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def _encode(pieces: Any, text: str) -> list[str]:
    found: list[str] = pieces.encode(text, out_type=str)
    return found


def _decode(pieces: Any, tokens: list[str]) -> str:
    plain = [token for token in tokens if not re.fullmatch(r"<.*>|>>.*<<|__\w+__", token)]
    text: str = pieces.decode(plain)
    return text.strip()


def _vocabulary(folder: Path) -> frozenset[str]:
    for name in ("shared_vocabulary", "source_vocabulary"):
        if (path := folder / f"{name}.json").exists():
            return frozenset(json.loads(path.read_text(encoding="utf-8")))
        if (path := folder / f"{name}.txt").exists():
            return frozenset(path.read_text(encoding="utf-8").split("\n"))
    raise EngineError(f"{folder} has no vocabulary: it is no CTranslate2 translation model.")


def _marian_marker(target: str, vocabulary: frozenset[str]) -> list[str]:
    markers = {token for token in vocabulary if re.fullmatch(r">>[\w-]+<<", token)}
    if not markers:
        return []
    code = target.lower()
    primary = base(target)
    tried = (code.replace("-", "_"), primary, container_tag(target))
    for name in (*_MARIAN.get(code, _MARIAN.get(primary, ())), *tried):
        if (marker := f">>{name}<<") in markers:
            return [marker]
    choices = ", ".join(sorted(marker.strip("<>") for marker in markers)[:30])
    raise EngineError(f"The model does not translate into '{target}', only into {choices}.")


def _nllb_code(language: str, vocabulary: frozenset[str]) -> str:
    primary = base(language)
    if (code := _NLLB.get(primary)) in vocabulary and code is not None:
        return code
    start = f"{container_tag(primary)}_"
    found = sorted(
        token for token in vocabulary if token.startswith(start) and len(token) == len(start) + 4
    )
    if not found:
        raise EngineError(f"The NLLB model does not know the language '{language}'.")
    return found[0]


def _m2m_code(language: str, vocabulary: frozenset[str]) -> str:
    known = among(language, (token.strip("_") for token in vocabulary if _M2M.fullmatch(token)))
    if known is None:
        raise EngineError(f"The M2M-100 model does not know the language '{language}'.")
    return f"__{known}__"
