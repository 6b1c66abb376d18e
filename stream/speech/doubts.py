"""Whether a transcript can be believed: what a machine can tell of it without knowing better."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from statistics import fmean

from stream.frames import Transcript, letters

UNSURE = 0.6
"""Mean probability of the words below which they are probably others. On recordings of people the
smallest Whisper gives 0.7 to 1.0 to what it hears right, 0.2 to 0.6 to what it makes of another
language, and 0.3 to 0.5 to phrases that it mishears altogether."""

SPARSE = 4.0
"""Letters a second of speech below which words are missing; slow readers of verse speak nine."""

LONG_S = 2.0
"""Speech shorter than this may well be one word."""

WIDE = 3
"""Letters that one character stands for in scripts that write syllables or words."""


class Doubt(StrEnum):
    """What speaks against a transcript; the values are those of reports and events."""

    MISHEARD = "misheard"
    FEW_WORDS = "few_words"


def doubts(transcript: Transcript, speech_s: float) -> tuple[Doubt, ...]:
    """What speaks against a transcript that is not empty.

    Args:
        transcript: with its words, if their probabilities are to count.
        speech_s: length of the speech that it is of, seconds.
    """
    found: list[Doubt] = []
    if not letters(transcript.text):
        return ()
    if transcript.words and fmean(word.probability for word in transcript.words) < UNSURE:
        found.append(Doubt.MISHEARD)
    if speech_s >= LONG_S and _spoken(transcript.text) < SPARSE * speech_s:
        found.append(Doubt.FEW_WORDS)
    return tuple(found)


def _spoken(text: str) -> int:
    return sum(
        WIDE if unicodedata.east_asian_width(letter) == "W" else 1 for letter in letters(text)
    )
