"""Translations that cannot be right: what small models derail into.

The rules hold for every engine and pair, and rather miss a bad translation than blame a good one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from stream.frames import letters
from stream.languages import script_of

BRACKETS = "()[]{}<>"

UNTRANSLATED = 4
"""Words in a row that are the source's own, in lower case: no name has as many."""

REPEATS = 3
"""Times in a row that a word or piece is written; one of ``LONG_PIECE`` words, twice."""

LONG_PIECE, LONGEST_PIECE = 4, 8

LONGER, MORE = 4, 40
"""A translation has at most so many times the source's characters, and so many more."""

SHORTER, FROM = 10, 40
"""And at least one of so many of them, where the source has so many or more."""

_SCRIPTS = {
    "Latn": ("LATIN",), "Cyrl": ("CYRILLIC",), "Grek": ("GREEK",), "Arab": ("ARABIC",),
    "Hebr": ("HEBREW",), "Deva": ("DEVANAGARI",), "Beng": ("BENGALI",), "Thai": ("THAI",),
    "Armn": ("ARMENIAN",), "Geor": ("GEORGIAN",), "Taml": ("TAMIL",), "Telu": ("TELUGU",),
    "Hans": ("CJK",), "Hant": ("CJK",), "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Kore": ("HANGUL", "CJK"),
}  # fmt: skip
"""How Unicode's names of letters begin, by ISO 15924 code."""


class Fault(StrEnum):
    """What is wrong; the values are the names in reports."""

    UNTRANSLATED = "untranslated words"
    BRACKETS = "stray brackets"
    REPEATED = "repeated pieces"
    SCRIPT = "wrong script"
    LENGTH = "impossible length"


def fault(source: str, translation: str, target: str = "") -> Fault | None:
    """What is wrong with a translation; ``None`` if nothing that could be told.

    Args:
        source: the text.
        translation: of it, or of its part that was not spoken yet.
        target: code of its language, for its script; any if empty.
    """
    theirs, ours = source.split(), translation.split()
    if any(translation.count(mark) > source.count(mark) for mark in BRACKETS):
        return Fault.BRACKETS
    if _repeats(ours) and not _repeats(theirs):
        return Fault.REPEATED
    if len(translation) > LONGER * len(source) + MORE:
        return Fault.LENGTH
    if len(source) >= FROM and len(translation) * SHORTER < len(source):
        return Fault.LENGTH
    if target and _foreign(translation, target):
        return Fault.SCRIPT
    if source != translation and _copied(theirs, ours):
        return Fault.UNTRANSLATED
    return None


def _repeats(words: Sequence[str]) -> bool:
    spelt = [letters(word) for word in words]
    for size in range(1, LONGEST_PIECE + 1):
        times = 2 if size >= LONG_PIECE else REPEATS
        for start in range(len(spelt) - times * size + 1):
            piece = spelt[start : start + size]
            following = spelt[start + size : start + times * size]
            if any(piece) and following == piece * (times - 1):
                return True
    return False


def _copied(theirs: Sequence[str], ours: Sequence[str]) -> bool:
    runs = {tuple(theirs[n : n + UNTRANSLATED]) for n in range(len(theirs) - UNTRANSLATED + 1)}
    words = {run for run in runs if all(word.isalpha() and word.islower() for word in run)}
    return any(tuple(ours[n : n + UNTRANSLATED]) in words for n in range(len(ours)))


def _foreign(text: str, language: str) -> bool:
    """Whether most letters are not of a language's script."""
    names = _SCRIPTS.get(script_of(language))
    found = [unicodedata.name(char, "") for char in text if char.isalpha()]
    own = sum(name.startswith(names) for name in found) if names else len(found)
    return own * 2 < len(found)
