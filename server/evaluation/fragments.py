"""Utterances that are parts of a phrase: no translation or intonation can make sense of them."""

from __future__ import annotations

from collections.abc import Sequence

from stages.text.function_words import conjunctions, leaning
from stages.text.sentences import ends_sentence
from stream.frames import letters

SHORT_WORDS = 4
"""Words up to which a part of a sentence is a fragment, wherever it ends."""

_MARKS = ",;:—–"


def are_fragments(texts: Sequence[str], language: str) -> list[bool]:
    """Which of successive utterances are fragments.

    A whole sentence, or several, never is, however short. A part of one is a fragment if it has
    ``SHORT_WORDS`` or less and is parted from the rest at no comma or conjunction, or if its last
    word leans on the next one (an article, a preposition), or the rest begins in such a word.

    Args:
        texts: transcripts in the order of time; empty ones are none.
        language: of them.
    """
    said = [index for index, text in enumerate(texts) if text.strip()]
    found = [False] * len(texts)
    leans, begins = leaning(language), conjunctions(language)
    for place, index in enumerate(said):
        text = texts[index].strip()
        before = texts[said[place - 1]].strip() if place else ""
        after = texts[said[place + 1]].strip() if place + 1 < len(said) else ""
        words = [letters(word) for word in text.split()]
        open_before = bool(before) and not ends_sentence(before)
        open_after = bool(after) and not ends_sentence(text)
        if not (open_before or open_after):
            continue
        following = letters(after.split()[0]) if after else ""
        torn = open_after and text[-1] not in _MARKS and following not in begins
        torn_before = open_before and before[-1] not in _MARKS and words[0] not in begins
        short = len(words) <= SHORT_WORDS and (torn or torn_before)
        found[index] = short or (torn and words[-1] in leans)
    return found
