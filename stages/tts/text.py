"""Text in the portions that an engine speaks one after another. Pure functions."""

from __future__ import annotations

import re
import unicodedata

from stages.text.sentences import portions
from stages.tts.spelling import JOIN, spelled_out

_SAID = "\u200c\u200d°"
"""Zero-width characters that decide how Indic and Persian words are read; and degrees."""


def spoken_portions(text: str, language: str, limit: int) -> list[str]:
    """``text`` as it is said, in portions of at most ``limit`` characters.

    Numbers and the like are in words, and no portion ends inside one.

    Args:
        text: of any length and script.
        language: ISO 639-1 code, with or without a region.
        limit: most characters of a portion, at least 1.
    """
    plain = spelled_out(speakable(text), language)
    return [part.replace(JOIN, " ") for part in portions(plain, limit)]


def speakable(text: str) -> str:
    """``text`` without what no voice should read: control characters, emoji, direction marks.

    Empty if no letter or digit is left.
    """
    kept = []
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if character.isspace() or category == "Cc":
            kept.append("\n" if character in "\n\u2028\u2029" else " ")
        elif category not in ("Cf", "Cs", "Co", "Cn", "So", "Sk") or character in _SAID:
            kept.append(character)
    result = re.sub(r"[^\S\n]+", " ", "".join(kept)).strip()
    return result if any(character.isalnum() for character in result) else ""
