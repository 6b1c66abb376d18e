"""Where a long source may be parted, so that its pieces are recognised and dubbed side by side.

At a pause of a second no sentence is under way: translation and capitals begin anew there. From
three seconds on the recogniser is given nothing from before it either, so that the pieces are heard
as the whole would be.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np

from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, AudioChunk, Batch, Samples
from stream.speech.detection import Windows
from stream.timeline import TICK_RATE

SHORTEST_PAUSE_S = 1.25
"""At which a source may be parted: its utterance has ended by then, and the next one's padding is
before it."""

LONG_PAUSE_S = 3.25
"""At which it is parted rather: what was said before is too far off to be context."""

MARGIN_S = 0.3
"""Of the pause that is left to the piece after it."""

SOUND, PROBABILITIES = "sound.f32", "speech.f32"


def pieces(probabilities: Samples, window: int, *, silent: float, length: float) -> list[int]:
    """Windows at which pieces begin, the first one at 0.

    Args:
        probabilities: of speech, one for each window.
        window: samples.
        silent: probability below which there is silence.
        length: seconds of a piece; none is shorter than half of it, and one is longer than twice
            that only where nobody pauses.
    """
    per_second = SPEECH_RATE / window
    goal, whole = length * per_second, len(probabilities)
    quiet = np.concatenate([[False], probabilities < silent, [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8))).reshape(-1, 2)
    pauses = [(start, end) for start, end in edges if end - start >= SHORTEST_PAUSE_S * per_second]
    begins = [0]
    while whole - begins[-1] > 1.5 * goal:
        begin = begins[-1]
        # Some speech is left for the last piece.
        ahead = [p for p in pauses if begin + goal / 2 <= p[1] < whole - goal / 2]
        near = [p for p in ahead if p[1] <= begin + 2 * goal] or ahead[:1]
        if not near:
            break
        long = [p for p in near if p[1] - p[0] >= LONG_PAUSE_S * per_second]
        best = min(long, key=lambda p: abs(p[1] - begin - goal)) if long else max(near, key=_length)
        begins.append(int(best[1] - round(MARGIN_S * per_second)))
    return begins


def _length(pause: tuple[int, int]) -> int:
    return pause[1] - pause[0]


class DetectedSpeech:
    """The speech of a source with its probabilities, in a folder: written once, read in pieces.

    Args:
        folder: exists.
        window: samples of a window.
    """

    def __init__(self, folder: Path, window: int) -> None:
        self._sound, self._probabilities = folder / SOUND, folder / PROBABILITIES
        self._window = window

    def clear(self) -> None:
        """Forget what was written before."""
        for path in (self._sound, self._probabilities):
            path.write_bytes(b"")

    def write(self, windows: Windows) -> None:
        """Append what comes next."""
        for path, samples in self._parts(windows):
            with path.open("ab") as file:
                file.write(np.ascontiguousarray(samples, np.float32).tobytes())

    @property
    def probabilities(self) -> Samples:
        """All of them, one for each window."""
        return np.fromfile(self._probabilities, np.float32)

    def read(self, first: int, last: int | None) -> Windows:
        """From one window up to another, or to the end."""
        probabilities = self.probabilities[first:last]
        sound = np.memmap(self._sound, np.float32, "r")
        end = first + len(probabilities)
        return Windows(np.array(sound[first * self._window : end * self._window]), probabilities)

    def _parts(self, windows: Windows) -> tuple[tuple[Path, Samples], ...]:
        return (self._sound, windows.audio), (self._probabilities, windows.probabilities)


class Replay:
    """The windows of a piece, in place of a detector, as its media passes by.

    Args:
        windows: of the piece.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._done = 0
        self._window = len(windows.audio) // max(len(windows.probabilities), 1)

    async def media(self) -> AsyncGenerator[Batch, None]:
        """Silence as long as the piece, which begins at media time 0."""
        length, step = len(self._windows.audio) * TICKS_PER_SAMPLE, TICK_RATE // 2
        for start in range(0, length, step):
            samples = np.zeros((min(step, length - start), 1), np.float32)
            yield [AudioChunk(start, samples)]

    async def push(self, chunks: Sequence[AudioChunk]) -> Windows:
        """The windows that end by the end of these."""
        return self._until(chunks[-1].end // (TICKS_PER_SAMPLE * self._window))

    async def flush(self) -> Windows:
        """The rest."""
        return self._until(len(self._windows.probabilities))

    def _until(self, end: int) -> Windows:
        first, self._done = self._done, end
        audio = self._windows.audio[first * self._window : end * self._window]
        return Windows(audio, self._windows.probabilities[first:end])
