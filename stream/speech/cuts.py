"""Where to cut speech that has no pause."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.frames import SPEECH_RATE, Samples, Word


def choose_cut(
    words: Sequence[Word],
    audio: Samples,
    leaning: frozenset[str] = frozenset(),
    opening: frozenset[str] = frozenset(),
) -> int:
    """Where to cut speech that has no pause: between two words, preferably after a clause.

    Boundaries before 40 % of the audio make the first part too short to translate, and the
    last word may be unfinished, so neither is used, nor is one inside a number or another word
    that the recogniser has timed in parts. Punctuation after a word counts most, then
    whether the word can end a phrase (a number cannot) and the next one begin a clause, the gap to
    it, and lateness. The exact sample is the quietest within the gap, because recognisers place
    word edges to about 100 ms only.

    Args:
        words: in order, times in seconds from ``audio[0]``.
        audio: mono at ``SPEECH_RATE``, shape ``(n,)``.
        leaning: words, in lower case, that do not end a phrase, such as articles.
        opening: words, in lower case, that begin a clause, such as conjunctions.

    Returns:
        Length of the first part in samples. Without usable words, the quietest place in the
        second half.
    """
    length = len(audio) / SPEECH_RATE
    best: tuple[float, float, float] | None = None
    for left, right in zip(words[:-1], words[1:], strict=True):
        middle = (left.end + right.start) / 2
        within = right.joined or (left.text[-1:].isdigit() and right.text[:1].isdigit())
        if within or not 0.4 * length <= middle <= length - 0.15:
            continue
        clause = 1.0 if left.text.rstrip()[-1:] in ".!?;:,…—" else 0.0
        ends = left.text.strip().casefold()
        clause -= 0.5 if ends in leaning or ends.isdigit() else 0.0
        clause += 0.5 if right.text.strip().casefold() in opening else 0.0
        gap = min(max(right.start - left.end, 0.0), 0.4)
        score = clause + 2 * gap + 0.5 * middle / length
        if best is None or score > best[0]:
            best = (score, min(left.end, right.start), max(left.end, right.start))
    if best is None:
        return quietest(audio, len(audio) // 2, len(audio) - to_samples(0.1))
    return quietest(audio, to_samples(best[1] - 0.08), to_samples(best[2] + 0.08))


def quietest(audio: Samples, first: int, last: int) -> int:
    """Sample in the middle of the quietest 20 ms between two samples of ``audio``."""
    width = to_samples(0.02)
    first = max(0, min(first, len(audio) - width - 1))
    last = max(first + width, min(last, len(audio)))
    energy = np.convolve(audio[first:last].astype(np.float64) ** 2, np.ones(width), "valid")
    return first + int(np.argmin(energy)) + width // 2


def to_samples(seconds: float) -> int:
    """Samples at ``SPEECH_RATE``, rounded."""
    return round(seconds * SPEECH_RATE)
