"""Capitals at the beginning of sentences: a recogniser given speech in pieces omits some.

A translator takes a sentence in lower case for the rest of another, and readers stumble over it.
"""

from __future__ import annotations

import string

from stages.text.sentences import APART, ends_sentence
from stream.timeline import Interval

_MARKS = string.whitespace + string.punctuation + "¿¡«“„‘—–…"


class SentenceCase:
    """One speech, piece by piece in order."""

    def __init__(self) -> None:
        self._open_until: int | None = None

    def of(self, text: str, slot: Interval) -> str:
        """``text`` with a capital if it begins a sentence; words of mixed case stay as they are.

        Args:
            text: of the next piece.
            slot: where it was said.
        """
        begins = self._open_until is None or slot.start - self._open_until > APART
        if text.strip():
            self._open_until = None if ends_sentence(text) else slot.end
        at = len(text) - len(text.lstrip(_MARKS))
        word = text[at:].split(maxsplit=1)[:1]
        if not begins or not word or not word[0].islower():
            return text
        return text[:at] + text[at].upper() + text[at + 1 :]
