"""What is recorded of a training set's clips, and the count of what was kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stages.training.cleaning import Cleaned
from stream.timeline import Interval


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One clip of the set.

    Attributes:
        name: of the file in ``wavs``, without suffix.
        source: media it comes from.
        interval: where in it, ticks.
        text: its transcript.
        similarity: cosine to the person's reference clip.
        cleaned: the sound and what was done to it.
    """

    name: str
    source: Path
    interval: Interval
    text: str
    similarity: float
    cleaned: Cleaned


@dataclass(slots=True)
class Census:
    """Where the media's speech went, seconds without pauses: all others add up to ``speech``."""

    speech: float = 0.0
    others: float = 0.0
    overlapped: float = 0.0
    uncut: float = 0.0
    noisy: float = 0.0
    wordless: float = 0.0
    kept: float = 0.0
