"""Which words of a translation stand for which of the source, by a decoder's attention."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.base import Rendering, TargetWord
from stream.frames import Samples

SPACE = "▁"
"""What SentencePiece writes at the beginning of a word."""

UNSPACED = ("zh", "ja", "th", "lo", "km", "my")
"""Languages that put no spaces between words."""


_MARKS = frozenset(",.;:!?…")


@dataclass(frozen=True, slots=True)
class Portion:
    """A translation of a portion of a text.

    Attributes:
        text: the translation.
        total: sum of its tokens' log-probabilities.
        length: how many there are.
        words: see ``Rendering``; their offsets are the portion's.
    """

    text: str
    total: float
    length: int
    words: tuple[TargetWord, ...] = ()


def offsets(text: str, pieces: Sequence[str]) -> list[int]:
    """Where each piece of the tokenised ``text`` begins in it, nearly.

    Tokenisers normalise what they cut, so words are counted and not characters.
    """
    starts = [match.span() for match in re.finditer(r"\S+", text)] or [(0, 0)]
    found: list[int] = []
    word, within = -1, 0
    for piece in pieces:
        if piece.startswith(SPACE) or not found:
            word, within = min(word + 1, len(starts) - 1), 0
        start, end = starts[word]
        found.append(min(start + within, max(end - 1, start)))
        within += len(piece.removeprefix(SPACE))
    return found


def may_follow(piece: str) -> bool:
    """Whether a piece leaves the word before it as it is."""
    return piece.startswith(SPACE) or piece in _MARKS


def aligned(
    pieces: Sequence[str],
    attention: Samples,
    places: Sequence[int | None],
    decode: Callable[[list[str]], str],
    *,
    spaced: bool,
) -> tuple[TargetWord, ...]:
    """The words of a translation, each with what it stands for: where most attention was.

    Args:
        pieces: of the translation.
        attention: of each piece to each token of the source, ``(len(pieces), len(places))``.
        places: where the tokens of the source begin in its text; ``None`` for markers.
        decode: makes text of pieces.
        spaced: whether the language writes spaces between words.
    """
    real = np.array([place is not None for place in places], bool)
    words: list[TargetWord] = []
    for first, last in _words(pieces, spaced):
        mine = pieces[first:last]
        rows = [first + n for n, piece in enumerate(mine) if any(map(str.isalnum, piece))]
        weight = attention[rows or slice(first, last)].sum(axis=0)
        best = int(np.argmax(np.where(real, weight, -1.0))) if real.any() else 0
        place = places[best] if real.any() else 0
        text = decode(list(mine))
        lead = " " if words and spaced and mine[0].startswith(SPACE) else ""
        words.append(TargetWord(lead + text, place or 0))
    return tuple(words)


def _words(pieces: Sequence[str], spaced: bool) -> Iterator[tuple[int, int]]:
    starts = [n for n, piece in enumerate(pieces) if not n or not spaced or piece.startswith(SPACE)]
    yield from itertools.pairwise([*starts, len(pieces)])


def placed(text: str, portions: Sequence[str]) -> list[int]:
    """Where the portions of a text begin in it."""
    found: list[int] = []
    at = 0
    for portion in portions:
        found.append(text.index(portion, at))
        at = found[-1] + len(portion)
    return found


def combined(
    portions: Sequence[Sequence[Portion]], places: Sequence[int], space: str, count: int
) -> list[Rendering]:
    """The best translations of a text, of those of its portions.

    Args:
        portions: what there is to choose from, for each.
        places: where they begin in the text.
        space: what stands between them in the translation.
        count: most translations returned.
    """
    best = [Portion("", 0.0, 0)]
    for choices, place in zip(portions, places, strict=True):
        longer = [_after(before, one, place, space) for before in best for one in choices]
        best = sorted(longer, key=lambda one: -one.total / max(one.length, 1))[:count]
    found: dict[str, Rendering] = {}
    for one in best:
        if one.text.strip():
            score = min(one.total / max(one.length, 1), 0.0)
            found.setdefault(one.text, Rendering(one.text, score, one.words))
    return list(found.values())


def _after(before: Portion, one: Portion, place: int, space: str) -> Portion:
    lead = space if before.text and one.text else ""
    words = [TargetWord(word.text, word.source + place) for word in one.words]
    if words and lead:
        words[0] = TargetWord(lead + words[0].text, words[0].source)
    return Portion(
        before.text + lead + one.text,
        before.total + one.total,
        before.length + one.length,
        (*before.words, *words),
    )
