"""Whether everybody keeps one voice, and whether it suits them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.speakers.cast import LOW_HZ
from stream.frames import Embedding
from stream.sound.pitch import Register, semitones
from stream.speech.registers import NEAR_ST


def consistency(
    voices: Sequence[Embedding], speakers: Sequence[str]
) -> tuple[float | None, float | None]:
    """Mean cosine of two dubs of one speaker, and of two dubs of different ones.

    Args:
        voices: embedding of each dub, unit vectors.
        speakers: who said the original of each.

    Returns:
        ``None`` where there are no two such dubs. The first is to be near 1, the second lower.
    """
    if len(voices) < 2:
        return None, None
    stacked = np.stack(voices).astype(np.float64)
    cosines, names = stacked @ stacked.T, np.array(speakers)
    same, pairs = names[:, None] == names[None, :], np.triu(np.ones_like(cosines, bool), 1)
    return _mean(cosines[pairs & same]), _mean(cosines[pairs & ~same])


def suits(source: Register | None, dub: Register | None) -> bool | None:
    """Whether a dub is in the register of who it dubs; ``None`` where either has no voice.

    It is on the same side of what parts men from women, or within ``NEAR_ST``.
    """
    if source is None or dub is None:
        return None
    same_side = (source.hz < LOW_HZ) == (dub.hz < LOW_HZ)
    return same_side or abs(semitones(source.hz, dub.hz)) <= NEAR_ST


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    return float(values.mean()) if values.size else None
