"""A tone that says: what you are about to hear is a synthetic voice."""

from __future__ import annotations

import numpy as np

from stream.frames import Samples
from stream.timeline import TICK_RATE

_PITCHES_HZ = (880.0, 1320.0)
_BEEP_S, _LEVEL, _EDGE_S = 0.12, 0.12, 0.01


class OpeningTone:
    """Two short rising beeps over the beginning of the first dub, and never again."""

    def __init__(self) -> None:
        self._left: Samples | None = None

    def over(self, dub: Samples) -> Samples:
        """The next stretch of dub, shape ``(n,)``, with as much of the tone as belongs there."""
        if self._left is None:
            voiced = np.flatnonzero(dub)
            if not len(voiced):
                return dub
            self._left = np.concatenate([np.zeros(voiced[0], np.float32), _beeps()])
        if not len(self._left):
            return dub
        part, self._left = self._left[: len(dub)], self._left[len(dub) :]
        out = dub.copy()
        out[: len(part)] += part
        return out


def _beeps() -> Samples:
    count, edge = round(_BEEP_S * TICK_RATE), round(_EDGE_S * TICK_RATE)
    at = np.arange(count) / TICK_RATE
    shape = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / edge)
    beeps = [_LEVEL * shape * np.sin(2 * np.pi * pitch * at) for pitch in _PITCHES_HZ]
    return np.concatenate(beeps).astype(np.float32)
