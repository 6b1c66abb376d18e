"""A second model hears an utterance, where nobody waits: what was heard more surely counts.

Small models mishear different words, and know it: of a misheard word the probability is low. Of
recordings of people the choice has fewer wrong words than either (docs/use/evaluation.md).
"""

from __future__ import annotations

from stream.frames import Transcript

UNSURE = 0.5
"""A word of this probability says nothing for a transcript, one below speaks against it."""

MARGIN = 0.5
"""By so much the second hearing has to be surer: the first one knew what was said before."""


def surer(first: Transcript, second: Transcript) -> Transcript:
    """The transcript with more words that its model is sure of; the first one if it is close."""
    if not first.words or not second.words:
        return first if first.text or first.rejected else second
    return second if certainty(second) - certainty(first) > MARGIN else first


def certainty(transcript: Transcript) -> float:
    """How much its words' probabilities speak for a transcript: words left out count as well."""
    return sum(word.probability - UNSURE for word in transcript.words)
