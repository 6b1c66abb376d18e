"""Words against words: normalising, counting edits, and cutting a text by another's segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

from rapidfuzz.distance import Levenshtein


@cache
def normaliser(language: str) -> Callable[[str], str]:
    """How Whisper's authors make transcripts comparable: case, punctuation, numbers, spelling.

    Args:
        language: ISO 639-1; numbers and spelling only for English.
    """
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    english = language.split("-")[0] == "en"
    made: Callable[[str], str] = EnglishTextNormalizer() if english else BasicTextNormalizer()
    return made


def word_edits(reference: str, hypothesis: str, language: str) -> tuple[int, int]:
    """Word edits from one normalised text to the other, and the words of the reference."""
    normal = normaliser(language)
    theirs, ours = normal(reference).split(), normal(hypothesis).split()
    return Levenshtein.distance(theirs, ours), len(theirs)


def character_edits(reference: str, hypothesis: str, language: str) -> tuple[int, int]:
    """Character edits from one normalised text to the other, and those of the reference."""
    normal = normaliser(language)
    theirs, ours = " ".join(normal(reference).split()), " ".join(normal(hypothesis).split())
    return Levenshtein.distance(theirs, ours), len(theirs)


def resegment(hypothesis: Sequence[str], references: Sequence[str]) -> list[slice]:
    """Cut a text by references, where its alignment of least edits to all of them has them end.

    E. Matusov et al.: Evaluating Machine Translation Output with Automatic Sentence
    Segmentation. IWSLT 2005, https://aclanthology.org/2005.iwslt-1.19. Words at a boundary that
    answer nothing in the references go to the segment before it up to the end of its sentence.

    Args:
        hypothesis: words as written.
        references: one text for each segment.

    Returns:
        For each segment its slice of ``hypothesis``; together they are all of it.
    """
    theirs = [(_plain(w), index) for index, text in enumerate(references) for w in text.split()]
    ours = [_plain(word) for word in hypothesis]
    ends: list[int | None] = [None] * len(references)
    starts: list[int | None] = [None] * len(references)
    for edit in Levenshtein.opcodes([word for word, _ in theirs], ours):
        if edit.tag in ("equal", "replace"):
            for offset in range(edit.src_end - edit.src_start):
                index, at = theirs[edit.src_start + offset][1], edit.dest_start + offset
                ends[index] = at + 1
                starts[index] = at if starts[index] is None else starts[index]
    cuts = [0]
    for index in range(len(references) - 1):
        first = max(cuts[-1], ends[index] or 0)
        last = next((start for start in starts[index + 1 :] if start is not None), len(ours))
        cuts.append(_boundary(hypothesis, first, max(first, last)))
    cuts.append(len(ours))
    return [slice(start, end) for start, end in pairwise(cuts)]


def _boundary(words: Sequence[str], first: int, last: int) -> int:
    """Where between two words to cut: after a sentence if one ends there, else at the latest."""
    for cut in range(first, last):
        if cut and words[cut - 1].endswith((".", "?", "!", "…")):
            return cut
    return last


def _plain(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum()) or word
