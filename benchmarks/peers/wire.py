"""The recogniser's end of the line: sound on its stdin, text on its stdout.

Runs inside the environment of another project, so it needs nothing but Python. Sound is 16 kHz
s16le, in blocks of 40 ms, at the pace of the clock; the line is silent for two seconds after the
last word, then closed. Answers are lines of JSON: ``{"ready": true}`` once models are loaded,
``{"text", "start", "end"}`` the moment a piece of text is committed, ``{"done": true}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator

RATE = 16_000
BLOCK = RATE // 25 * 2
"""Bytes of 40 ms."""


class Wire:
    """Sound in, text out.

    Attributes:
        heard: seconds of sound that have come.
    """

    def __init__(self) -> None:
        self.heard = 0.0
        # What the project prints itself goes to stderr.
        self._answers = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Sound as it comes, from the moment that the recogniser is ready."""
        self._answer({"ready": True})
        while block := sys.stdin.buffer.read(size):
            self.heard += len(block) / 2 / RATE
            yield block

    def commit(self, text: str, start: float, end: float) -> None:
        """A piece of text that will not change any more, and when it was said."""
        if text.strip():
            self._answer({"text": text.strip(), "start": float(start), "end": float(end)})

    def done(self) -> None:
        """All is said. Waits to be ended, so that what was used can be looked up."""
        self._answer({"done": True})
        while True:
            signal.pause()

    def _answer(self, words: dict[str, object]) -> None:
        self._answers.write(json.dumps(words) + "\n")
