"""A real engine whose native call stops returning."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from stages.tts.espeak.engine import Espeak
from stream.frames import Samples


class HangingEspeak(Espeak):
    """eSpeak NG; its first copy hangs from the moment that ``stuck`` is set, until ``released``."""

    stuck = threading.Event()
    released = threading.Event()
    copies = 0
    hung = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        type(self).copies += 1
        self._first = type(self).copies == 1

    def _pieces(self, text: str, rate: float, voice: str) -> Iterator[Samples]:
        for piece in super()._pieces(text, rate, voice):
            if self._first and self.stuck.is_set():
                type(self).hung += 1
                self.released.wait()  # in the engine's own thread, which nothing can interrupt
            yield piece
