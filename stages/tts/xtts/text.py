"""Text as XTTS speaks it best: short sentences, numbers in words, nothing it would read aloud."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.text.sentences import clauses, portions, sentences
from stages.tts.spelling import JOIN, spelled_out
from stages.tts.text import speakable
from stages.tts.xtts.cyrillic import in_cyrillic
from stream.languages import base

LIMITS = {
    "ar": 166, "cs": 186, "de": 253, "en": 250, "es": 239, "fr": 273, "hi": 150, "hu": 224,
    "it": 213, "ja": 71, "ko": 95, "nl": 251, "pl": 224, "pt": 203, "ru": 182, "tr": 226, "zh": 82,
}  # fmt: skip
"""Characters that the model can say at once, by language (coqui-tts, ``VoiceBpeTokenizer``)."""

_SHARE = 0.8
"""Of the limit: near it the model swallows words."""
_TINY = 0.08
"""Share of the limit (15 letters in Russian) below which a sentence is said with the next one:
alone, such are drawn out to three seconds."""
_QUOTES = re.compile(r"[\"«»“”„‟‹›「」『』`]|(?<!\w)['‘’]|['‘’](?!\w)")
_BRACKETS = re.compile(r"\s*[(\[{]\s*|\s*[)\]}]\s*")
_DIGITS = {"hi": ["शून्य", "एक", "दो", "तीन", "चार", "पाँच", "छह", "सात", "आठ", "नौ"]}
"""Of languages whose numbers num2words cannot write: they are read one by one."""
_STOPS = re.compile(r"[\s.…。।۔,;:،；、—–-]+$")


@dataclass(frozen=True, slots=True)
class Portion:
    """What is said in one go.

    Attributes:
        text: of the original, for its punctuation.
        spoken: what the model is given.
        clause_ends: places inside where a speaker may pause.
    """

    text: str
    spoken: str
    clause_ends: int


def xtts_portions(text: str, language: str) -> list[Portion]:
    """``text`` in portions well below the model's limit, tiny sentences joined to others.

    Args:
        text: of any length and script.
        language: one of ``LIMITS``, with or without a region.
    """
    own = base(language)
    limit = int(_SHARE * LIMITS[own])
    plain = speakable(text)
    if not plain:
        return []
    plain = _digits_in_words(spelled_out(plain, language), own)
    if own == "ru":
        plain = in_cyrillic(plain)
    found = _merged(portions(plain, limit), limit, int(_TINY * LIMITS[own]))
    found = [part.replace(JOIN, " ") for part in found]
    made = [Portion(part, _spoken(part), _clause_ends(part)) for part in found]
    return [portion for portion in made if speakable(portion.spoken)]


def _merged(parts: list[str], limit: int, tiny: int) -> list[str]:
    """Neighbours joined where one of them is tiny, up to ``limit`` characters."""
    merged: list[str] = []
    for part in parts:
        fits = merged and len(merged[-1]) + 1 + len(part) <= limit
        if fits and (len(merged[-1]) < tiny or len(part) < tiny):
            merged[-1] = f"{merged[-1]} {part}"
        else:
            merged.append(part)
    return merged


def _spoken(part: str) -> str:
    """Without quotes, brackets and final stops, which the model reads out or stumbles over."""
    plain = _BRACKETS.sub(", ", _QUOTES.sub("", part))
    plain = re.sub(r"([,;:.!?…])(?:\s*[,;:])+", r"\1", plain)
    return _STOPS.sub("", plain).strip(" ,;:")


def _digits_in_words(text: str, base: str) -> str:
    digits = _DIGITS.get(base)
    return re.sub(r"\d", lambda match: f" {digits[int(match[0])]} ", text) if digits else text


def _clause_ends(part: str) -> int:
    return sum(len(clauses(sentence)) for sentence in sentences(part)) - 1
