"""The newest audio of a stream, by sample index."""

from __future__ import annotations

import numpy as np

from stream.frames import SPEECH_RATE, Samples


class History:
    """Mono audio at ``SPEECH_RATE`` that may still be asked for."""

    def __init__(self) -> None:
        self._audio = np.zeros(0, np.float32)
        self.start = 0
        """Index of the oldest sample that is kept."""

    def push(self, audio: Samples) -> None:
        """Append what comes next."""
        self._audio = np.concatenate([self._audio, audio])

    def slice(self, first: int, last: int) -> Samples:
        """Samples from ``first`` up to ``last``, of those that are kept."""
        return self._audio[first - self.start : last - self.start].copy()

    def forget(self, keep: int) -> None:
        """Drop what lies before ``keep``, a second at a time."""
        if keep - self.start > SPEECH_RATE:
            self.drop(keep)

    def drop(self, before: int) -> None:
        """Drop what lies before a sample that is kept, at once."""
        self._audio = self._audio[before - self.start :]
        self.start = before
