"""Silence in speech that is still being made: cut at the ends, and shortened inside.

The same as ``stages.tts.joining`` does to whole portions, for engines that give a portion in
pieces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.tts.joining import FLOOR_DB, FRAME_S, INAUDIBLE_RMS, MARGIN_S, pause_after
from stages.tts.xtts.hallucinated_tail import Progress
from stream.frames import Samples

_MARGIN = round(MARGIN_S / FRAME_S)
"""Frames of silence left before and after sound."""
_LONGEST_S = 0.35
"""Seconds of a pause inside a sentence at rate 1; what is longer is shortened to this."""
_BREAK_S = 0.12
"""Seconds of silence that count as a pause between clauses."""


class Pauses:
    """Passes speech on with natural pauses, however it is cut into pieces.

    Silence is held back until it is known what follows: nothing is left at a portion's end, at
    most ``_LONGEST_S`` inside, and before the next portion its punctuation's pause.

    Args:
        sample_rate: Hz.
        rate: speaking rate; pauses shorten with it.
    """

    def __init__(self, sample_rate: int, rate: float) -> None:
        self._rate = sample_rate
        self._frame = max(1, round(FRAME_S * sample_rate))
        self._longest = max(2 * _MARGIN, round(_LONGEST_S / rate * sample_rate / self._frame))
        self._break = round(_BREAK_S / rate * sample_rate / self._frame)
        self._speed = rate
        self._owed = np.zeros(0, np.float32)
        self._rest = np.zeros(0, np.float32)
        self._held: list[Samples] = []
        self._begin()

    @property
    def progress(self) -> Progress:
        """How far the portion has been spoken."""
        frame = self._frame / self._rate
        return Progress(self._spoken * frame, self._breaks, len(self._held) * frame)

    def push(self, samples: Samples) -> Samples:
        """The next piece of a portion, shape ``(n,)``; what of it may be played now."""
        rest = np.concatenate([self._rest, np.clip(samples, -1.0, 1.0).astype(np.float32)])
        whole = len(rest) // self._frame * self._frame
        self._rest = rest[whole:]
        return self._pass(rest[:whole].reshape(-1, self._frame))

    def end(self, text: str) -> Samples:
        """A portion has ended; ``text`` tells how long the pause after it is."""
        padding = -len(self._rest) % self._frame
        last = np.pad(self._rest, (0, padding)).reshape(-1, self._frame)
        sound = self._pass(last)
        if self._sounded:
            sound = np.concatenate([sound, *self._held[:_MARGIN]])
            length = round(pause_after(text) / self._speed * self._rate)
            self._owed = np.zeros(length, np.float32)
        self._begin()
        return sound

    def _begin(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._held = []
        self._loudest = 0.0
        self._sounded = False
        self._spoken = 0
        self._breaks = 0

    def _pass(self, frames: NDArray[np.float32]) -> Samples:
        passed: list[Samples] = []
        levels = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1)).tolist()
        for frame, level in zip(frames, levels, strict=True):
            if level < INAUDIBLE_RMS or level <= self._loudest * 10 ** (FLOOR_DB / 20):
                self._held.append(frame)
                continue
            self._loudest = max(self._loudest, level)
            passed += self._before_sound()
            passed.append(frame)
            self._spoken += 1
        return np.concatenate(passed) if passed else np.zeros(0, np.float32)

    def _before_sound(self) -> list[Samples]:
        held, self._held = self._held, []
        if not self._sounded:
            self._sounded = True
            owed, self._owed = self._owed, np.zeros(0, np.float32)
            return [owed, *held[-_MARGIN:]]
        self._breaks += len(held) >= self._break
        if len(held) > self._longest:
            half = self._longest // 2
            held = [*held[:half], *held[len(held) - (self._longest - half) :]]
        self._spoken += len(held)
        return held
