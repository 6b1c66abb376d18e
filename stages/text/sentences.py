"""Text cut where its sentences and clauses end, in any script. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from stream.timeline import ticks

APART = ticks(1.0)
"""Silence, in ticks, after which what comes does not continue a sentence."""

_CLOSERS = "\"'”’»›)\\]}」』）】"
# Of scripts that put a space after the full stop, of those that do not, and line ends.
_SENTENCE_END = re.compile(
    rf"(?<=[.!?…؟۔।॥።])[{_CLOSERS}]*\s+|(?<=[。！？｡])[{_CLOSERS}]*\s*|\s*[\r\n\u2028\u2029]+\s*"
)
_LAST_MARK = re.compile(rf"[.!?…؟۔।॥。！？｡][{_CLOSERS}]*\s*$")
_CLAUSE_END = re.compile(r"(?<=[,;:،؛;])\s+|(?<=[，、；：])\s*|\s+(?=[—–-]\s)")
_LAST_WORD = re.compile(r"(\w+(?:\.\w+)*)\.$")
# A full stop after these ends no sentence. Only ones that hardly ever stand at an end.
_ABBREVIATIONS = frozenset({
    "mr", "mrs", "ms", "dr", "prof", "sr", "sra", "srta", "dra", "st", "jr", "vs", "e.g", "i.e",
    "cf", "nº", "vol", "fig", "approx", "dept", "gen", "col", "capt", "lt", "sgt", "rev", "hon",
    "z.b", "d.h", "bzw", "mme", "mlle", "p.ex", "exmo", "г", "ул", "т.е", "т.к", "проф",
})  # fmt: skip
_SPACE = re.compile(r"[^\S\u00a0]+")
"""Where words may be parted: not at a no-break space."""
_JOINERS = "\u200c\u200d"
"""Zero-width characters inside Indic and Persian words."""


def sentences(text: str) -> list[str]:
    """``text`` cut after each sentence, without surrounding space; nothing else is lost."""
    return _cut(text, _SENTENCE_END, lambda head: not _abbreviates(head))


def ends_sentence(text: str) -> bool:
    """Whether ``text`` stops where a sentence does."""
    return _LAST_MARK.search(text) is not None


def clauses(sentence: str) -> list[str]:
    """``sentence`` cut after commas, colons and the like, and before dashes."""
    return _cut(sentence, _CLAUSE_END, lambda head: True)


def portions(text: str, limit: int) -> list[str]:
    """Sentences of ``text``, those beyond ``limit`` characters cut into clauses or words.

    No character but space is lost, and a word is cut only if it alone exceeds ``limit``.

    Args:
        text: of any length and script.
        limit: most characters of a portion, at least 1.
    """
    return [part for sentence in sentences(text) for part in _fit(sentence, limit)]


def _cut(text: str, boundary: re.Pattern[str], ends: Callable[[str], bool]) -> list[str]:
    found: list[str] = []
    start = 0
    for match in boundary.finditer(text):
        # Closing quotes match with the space after them, but belong to the sentence.
        end = match.start() + len(match[0].rstrip())
        head = text[start:end].strip()
        if head and (ends(head) or "\n" in match[0]):
            found.append(head)
            start = match.end()
    if rest := text[start:].strip():
        found.append(rest)
    return found


def _abbreviates(head: str) -> bool:
    match = _LAST_WORD.search(head)
    if match is None:
        return False
    word = match[1].lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha())


def _fit(sentence: str, limit: int) -> list[str]:
    if len(sentence) <= limit:
        return [sentence]
    parts: list[str] = []
    for clause in _packed(clauses(sentence), sentence, limit):
        if len(clause) <= limit:
            parts.append(clause)
            continue
        cut = [piece for word in _SPACE.split(clause) for piece in _chopped(word, limit)]
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
