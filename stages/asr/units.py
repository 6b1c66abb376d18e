"""Where recognised speech is cut for translation: sentences, or clauses where time is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stages.text.function_words import conjunctions, leaning
from stages.text.sentences import clauses, sentences
from stream.frames import Word, written
from stream.speech.incremental import Outlook, Verdict
from stream.speech.lengths import SegmentOptions

SHORTEST = 0.7
"""Seconds of speech that are worth a dub of their own where more follows at once."""

_NEXT = "X"
"""Stands for the word to come, by which a sentence is known to have ended."""


class Units:
    """Says when recognised words go to translation.

    A sentence goes as soon as it is certain. In the silence after one, ``early_pause`` is
    enough. Where a pause comes in the middle of a sentence, the words are held for
    ``late_pause``, as long as the unit stays short enough to be in time. Live, from
    ``soft_length`` on a clause goes too.

    Args:
        options: times.
        language: ISO 639-1 code of the speech.
        live: whether anybody waits.
    """

    def __init__(self, options: SegmentOptions, language: str, *, live: bool) -> None:
        self._options = options
        self._conjunctions = conjunctions(language)
        self._leaning = leaning(language)
        self._live = live

    def decide(self, outlook: Outlook) -> Verdict:
        """What shall happen to the words of ``outlook`` now."""
        words, options = outlook.words, self._options
        if not words:
            return Verdict()
        stable = len(words) if outlook.whole else outlook.stable
        ends = sentence_ends(words)
        for end in ends:
            if end <= stable and end < len(words) and self._worthwhile(outlook, end):
                return Verdict(take=end)
        if outlook.whole and outlook.silence >= options.early_pause:
            if len(words) in ends:
                return Verdict(take=len(words))
            return Verdict(hold=outlook.length <= options.soft_length)
        if self._live and outlook.length >= options.soft_length:
            for end in (*reversed(clause_ends(words)), *reversed(self._phrase_ends(words))):
                if end <= stable and end < len(words) and self._worthwhile(outlook, end):
                    return Verdict(take=end)
        return Verdict()

    def mark(self, before: Word, after: Word) -> str:
        """A comma where there is a pause, unless in the middle of a phrase or of a number.

        A translator does not hear the pause. Live, where parts of sentences are translated, only
        one before a conjunction is worth a comma.
        """
        ends, begins = before.text.strip().casefold(), after.text.strip().casefold()
        if not ends[-1:].isalnum() or (ends[-1].isdigit() and begins[:1].isdigit()):
            return ""
        within = self._live or not self._leaning or ends in self._leaning
        return "" if within and begins not in self._conjunctions else ","

    def _phrase_ends(self, words: Sequence[Word]) -> list[int]:
        following = enumerate(words[1:], 1)
        return [i for i, word in following if word.text.casefold() in self._conjunctions]

    def _worthwhile(self, outlook: Outlook, end: int) -> bool:
        return outlook.words[end - 1].end - outlook.start >= SHORTEST


def sentence_ends(words: Sequence[Word]) -> list[int]:
    """How many words are before each end of a sentence; one that trails off has none."""
    return [
        end for end in _ends(words, sentences) if not words[end - 1].text.endswith(("...", "…"))
    ]


def clause_ends(words: Sequence[Word]) -> list[int]:
    """How many words are before each comma, colon and the like."""
    return _ends(words, clauses)


def _ends(words: Sequence[Word], cut: Callable[[str], list[str]]) -> list[int]:
    text = f"{written(words)} {_NEXT}"
    found, at = set(), 0
    for part in cut(text)[:-1]:
        at = text.index(part, at) + len(part)
        found.add(at)
    return [count for count in range(1, len(words) + 1) if len(written(words[:count])) in found]
