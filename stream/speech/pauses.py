"""Pauses within an utterance, written down between the words that they part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from stream.frames import Word
from stream.timeline import Interval, seconds

PAUSE_S = 0.2
"""Silence that is written down."""

SLIP_S = 0.25
"""It is this near to where the recogniser has one word end and the next one begin."""


def marked(
    words: Sequence[Word], speech: Sequence[Interval], mark: Callable[[Word, Word], str]
) -> list[Word]:
    """Words with their pauses.

    Args:
        words: of an utterance, timed in seconds of the source.
        speech: stretches of it, in order.
        mark: what is written after a word that a silence parts from the next one; may be nothing.
    """
    found = list(words)
    for before, after in pairwise(speech):
        start, end = seconds(before.end), seconds(after.start)
        middles = [(one.end + other.start) / 2 for one, other in pairwise(found)]
        if end - start < PAUSE_S or not middles:
            continue
        away = [max(start - middle, middle - end, 0.0) for middle in middles]
        at = away.index(min(away))
        if away[at] < SLIP_S and not found[at + 1].joined:
            text = found[at].text + mark(found[at], found[at + 1])
            found[at] = replace(found[at], text=text)
    return found
