"""Words against words: normalising, counting edits, and cutting a text by another's segments."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate, pairwise

from rapidfuzz.distance import Levenshtein

from stream.languages import base

_MARKS = ".,;:!?…"


@cache
def normaliser(language: str) -> Callable[[str], str]:
    """How Whisper's authors make transcripts comparable: case, punctuation, numbers, spelling.

    Args:
        language: ISO 639-1; numbers and spelling only for English.
    """
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    english = base(language) == "en"
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
    Segmentation. IWSLT 2005, https://aclanthology.org/2005.iwslt-1.19. Of cuts that
    cost the same, the first after the end of a sentence is taken, else the last.

    Args:
        hypothesis: words as written.
        references: one text for each segment.

    Returns:
        For each segment its slice of ``hypothesis``; together they are all of it.
    """
    lengths = [len(text.split()) for text in references]
    theirs = [_plain(word) for text in references for word in text.split()]
    ours = [_plain(word) for word in hypothesis]
    anchors = [(-1, -1)]
    for edit in Levenshtein.opcodes(theirs, ours):
        if edit.tag == "equal":
            pairs = range(edit.src_start, edit.src_end), range(edit.dest_start, edit.dest_end)
            anchors += zip(*pairs, strict=True)
    anchors.append((len(theirs), len(ours)))
    cuts = [0]
    for border in accumulate(lengths[:-1]):
        after = bisect_left(anchors, (border, -1))
        (r1, h1), (r2, h2) = anchors[after - 1], anchors[after]
        # Between two equal words every cut costs the same as long as neither side has words
        # over while the other has too few.
        first, last = sorted((h1 + border - r1, h2 - r2 + border))
        first, last = (min(max(cut, h1 + 1, cuts[-1]), h2) for cut in (first, last))
        cuts.append(_boundary(hypothesis, first, last))
    cuts.append(len(ours))
    return [slice(start, end) for start, end in pairwise(cuts)]


def parted(texts: Iterable[str], references: Sequence[str]) -> list[str]:
    """What there is of each reference in texts that were cut elsewhere; see ``resegment``."""
    words = " ".join(texts).split()
    return [" ".join(words[cut]) for cut in resegment(words, references)]


def punctuated(heard: str, reference: str) -> str:
    """What was heard, with the reference's marks and capitals wherever the words are the same."""
    theirs, ours = reference.split(), heard.split()
    found: list[str] = []
    for edit in Levenshtein.opcodes([_plain(w) for w in theirs], [_plain(w) for w in ours]):
        if edit.tag == "equal":
            found += theirs[edit.src_start : edit.src_end]
        else:
            found += [word.rstrip(_MARKS) for word in ours[edit.dest_start : edit.dest_end]]
    return " ".join(found)


def _boundary(words: Sequence[str], first: int, last: int) -> int:
    """Where between two words to cut: after a sentence if one ends there, else at the latest."""
    for cut in range(first, last):
        if cut and words[cut - 1].endswith((".", "?", "!", "…")):
            return cut
    return last


def _plain(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum()) or word
