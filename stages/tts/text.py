"""Text in the portions that an engine speaks one after another. Pure functions."""

from __future__ import annotations

import re
import unicodedata

from stages.text.sentences import portions

__all__ = ["portions", "speakable"]

_JOINERS = "\u200c\u200d"
"""Zero-width characters that decide how Indic and Persian words are read."""


def speakable(text: str) -> str:
    """``text`` without what no voice should read: control characters, emoji, direction marks.

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
