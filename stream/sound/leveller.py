"""Raising quiet speech for models: a slow gain with a ceiling. What is loud enough stays as it is.

Detectors and recognisers were trained on speech of usual levels; Silero begins to miss some below
-60 dBFS. The viewer's sound does not pass here.
"""

from __future__ import annotations

import numpy as np

from stream.frames import SPEECH_RATE, Samples

ENOUGH_DBFS = -40.0
"""Level from which on speech is left alone; quieter speech is raised up to it."""

CEILING_DB = 30.0
"""Largest gain."""

RELEASE_DB_PER_S = 6.0
"""How fast the level that is reckoned with falls where it grows quiet; it rises at once."""

_SILENT_DBFS = -120.0


class Leveller:
    """A stream's gain, window by window, however the windows come.

    Args:
        window: samples that have one gain.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._release = RELEASE_DB_PER_S * window / SPEECH_RATE
        self._level = ENOUGH_DBFS

    def raised(self, audio: Samples) -> Samples:
        """What comes next in the stream, louder where it is quiet.

        Args:
            audio: mono at ``SPEECH_RATE``, whole windows, shape ``(n,)``.
        """
        windows = audio.reshape(-1, self._window)
        gains = np.array([self._gain(level) for level in _levels(windows)], np.float32)
        if not (gains > 1).any():
            return audio
        raised: Samples = np.clip(windows * gains[:, None], -1, 1).ravel()
        return raised

    def _gain(self, level: float) -> float:
        lowest = ENOUGH_DBFS - CEILING_DB
        self._level = max(level, self._level - self._release, lowest)
        return float(10 ** (max(ENOUGH_DBFS - self._level, 0) / 20))


def raised(audio: Samples, window: int = 512) -> Samples:
    """A piece of speech by itself, its loudest windows raised to the usual level if they are quiet.

    Args:
        audio: mono at ``SPEECH_RATE``, shape ``(n,)``.
        window: samples whose level counts.
    """
    whole = audio[: len(audio) // window * window]
    if not len(whole):
        return audio
    level = float(max(_levels(whole.reshape(-1, window))))
    gain = min(ENOUGH_DBFS - level, CEILING_DB)
    if gain <= 0 or level <= _SILENT_DBFS:
        return audio
    louder: Samples = np.clip(audio * np.float32(10 ** (gain / 20)), -1, 1)
    return louder


def _levels(windows: Samples) -> list[float]:
    power = np.mean(np.square(windows, dtype=np.float64), axis=1)
    levels: list[float] = (10 * np.log10(np.maximum(power, 10 ** (_SILENT_DBFS / 10)))).tolist()
    return levels
