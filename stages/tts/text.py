"""Text in the portions that an engine speaks one after another. Pure functions."""

from __future__ import annotations

import re
import unicodedata

from stages.sentences import clauses, sentences

_JOINERS = "\u200c\u200d"
"""Zero-width characters that decide how Indic and Persian words are read."""


def speakable(text: str) -> str:
    """``text`` without what no voice should read: controls, emoji, markup of direction.

    Empty if no letter or digit is left.
    """
    kept = []
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if character.isspace() or category == "Cc":
            kept.append("\n" if character in "\n\u2028\u2029" else " ")
        elif category not in ("Cf", "Cs", "Co", "Cn", "So", "Sk") or character in _JOINERS:
            kept.append(character)
    result = re.sub(r"[^\S\n]+", " ", "".join(kept)).strip()
    return result if any(character.isalnum() for character in result) else ""


def portions(text: str, limit: int) -> list[str]:
    """Sentences of ``text``, those beyond ``limit`` characters cut into clauses or words.

    No character but space is lost, and a word is cut only if it alone exceeds ``limit``.

    Args:
        text: of any length and script.
        limit: most characters of a portion, at least 1.
    """
    return [part for sentence in sentences(text) for part in _fit(sentence, limit)]


def _fit(sentence: str, limit: int) -> list[str]:
    if len(sentence) <= limit:
        return [sentence]
    parts: list[str] = []
    for clause in _packed(clauses(sentence), sentence, limit):
        if len(clause) <= limit:
            parts.append(clause)
            continue
        cut = [piece for word in clause.split() for piece in _chopped(word, limit)]
        parts.extend(_packed(cut, clause, limit))
    return parts


def _packed(parts: list[str], whole: str, limit: int) -> list[str]:
    """Neighbours of ``whole`` joined, with the space that was between them, up to ``limit``."""
    packed: list[str] = []
    start = end = 0
    for part in parts:
        begin = whole.index(part, end)
        if packed and begin + len(part) - start <= limit:
            packed[-1] = whole[start : begin + len(part)]
        else:
            packed.append(part)
            start = begin
        end = begin + len(part)
    return packed


def _chopped(word: str, limit: int) -> list[str]:
    chunks: list[str] = []
    while len(word) > limit:
        cut = limit
        # Accents and joined letters stay with the letter before them where they can.
        while cut > 1 and (unicodedata.combining(word[cut]) or word[cut] in _JOINERS):
            cut -= 1
        chunks.append(word[:cut])
        word = word[cut:]
    chunks.append(word)
    return chunks
