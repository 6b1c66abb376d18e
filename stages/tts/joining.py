"""Portions of speech made separately, joined as one voice would say them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from stream.frames import Samples

MARGIN_S = 0.02
"""Silence left before and after the sound, seconds."""
FRAME_S = 0.005
"""Seconds over which the level is taken."""
FLOOR_DB = -45.0
"""Level of a frame, against the loudest one, below which it is silence."""
INAUDIBLE_RMS = 1e-4
"""RMS of a frame below which it is silence in any case."""
_SENTENCE_PAUSE_S = 0.3
_CLAUSE_PAUSE_S = 0.15
_WORD_PAUSE_S = 0.04
"""Seconds at rate 1 between portions, by what the earlier one ends with."""


def trimmed(audio: Samples, sample_rate: int) -> Samples:
    """``audio`` without leading and trailing silence but for 20 ms; empty if it is all silence."""
    frame = max(1, round(FRAME_S * sample_rate))
    padded = np.pad(audio, (0, -len(audio) % frame)).reshape(-1, frame)
    level = np.sqrt(np.mean(np.square(padded, dtype=np.float64), axis=1))
    loudest = level.max(initial=0.0)
    if loudest < INAUDIBLE_RMS:
        return np.zeros(0, np.float32)
    sound = np.flatnonzero(level > loudest * 10 ** (FLOOR_DB / 20))
    margin = round(MARGIN_S * sample_rate)
    start = max(0, int(sound[0]) * frame - margin)
    end = min(len(audio), (int(sound[-1]) + 1) * frame + margin)
    return audio[start:end]


def joined(
    spoken: Iterable[tuple[str, Samples]], sample_rate: int, rate: float
) -> Iterator[Samples]:
    """Trim each portion and put the pause of its punctuation before the next one.

    So the whole begins and ends within 20 ms of sound, and its length does not depend on
    how much silence an engine happens to add.

    Args:
        spoken: text of a portion, as far as its end is concerned, and its speech, mono.
        sample_rate: Hz.
        rate: speaking rate; pauses shorten with it.
    """
    pause = np.zeros(0, np.float32)
    for text, audio in spoken:
        sound = trimmed(np.clip(audio, -1.0, 1.0).astype(np.float32, copy=False), sample_rate)
        if not len(sound):
            continue
        yield np.concatenate([pause, sound])
        pause = np.zeros(round(pause_after(text) / rate * sample_rate), np.float32)


def pause_after(text: str) -> float:
    """Seconds at rate 1 that a speaker pauses after ``text``, by its punctuation."""
    last = text.rstrip().rstrip("\"'”’»)]}」』）")[-1:]
    if last in ".!?…。！？؟۔।॥።":
        return _SENTENCE_PAUSE_S
    if last in ",;:،؛，、；：—–":
        return _CLAUSE_PAUSE_S
    return _WORD_PAUSE_S
