"""Speech intervals from voice activity probabilities, with edges as sharp as the sound's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Samples
from stream.intervals import merge
from stream.timeline import Interval, ticks

_ON, _OFF = 0.5, 0.35
_SHORTEST = ticks(0.06)
_JOINED = ticks(0.1)

_FRAME = SPEECH_RATE // 200  # 5 ms
_BACK, _IN = 50, 12  # frames that an edge may move outwards and inwards: 250 and 60 ms
_GAP = 20  # the silence of a stop consonant, 100 ms at most, is on the way to the edge
RANGE_DB, ABOVE_NOISE_DB = 34.0, 8.0
"""What is heard as speech lies within so much of its level, and so much above the noise."""


def speech_intervals(probabilities: Samples, window: int) -> list[Interval]:
    """Stretches of speech, sorted and disjoint.

    Hysteresis as in Silero's own ``get_speech_timestamps``: speech begins at a probability
    of 0.5 and ends below 0.35. Gaps under 100 ms are closed, blips under 60 ms left out.

    Args:
        probabilities: of speech in successive windows, the first at media time 0.
        window: samples at ``SPEECH_RATE`` that each covers.
    """
    found: list[Interval] = []
    step = window * TICKS_PER_SAMPLE
    begun: int | None = None
    for index, probability in enumerate(probabilities):
        if begun is None and probability >= _ON:
            begun = index
        elif begun is not None and probability < _OFF:
            found.append(Interval(begun * step, index * step))
            begun = None
    if begun is not None:
        found.append(Interval(begun * step, len(probabilities) * step))
    return [speech for speech in merge(found, _JOINED) if speech.duration >= _SHORTEST]


def sharpen(speech: Sequence[Interval], audio: Samples) -> list[Interval]:
    """Move the edges of speech to where its sound begins and ends.

    A detector notices speech some ten to a hundred milliseconds after it began, depending
    on the first sound. From there each edge follows the level outwards as long as it
    stays within 34 dB of the stretch's own level and 8 dB above the noise around it, by
    250 ms at most and never into a neighbour; or inwards, if there is no sound yet.

    Args:
        speech: sorted and disjoint.
        audio: mono at ``SPEECH_RATE`` from media time 0, shape ``(n,)``.
    """
    level = _levels(audio)
    frame = _FRAME * TICKS_PER_SAMPLE
    bounds = [0, *(i.end // frame for i in speech), len(level)]
    starts = [*(i.start // frame for i in speech), len(level)]
    sharpened: list[Interval] = []
    for index, interval in enumerate(speech):
        first, last = interval.start // frame, max(interval.end // frame, 1)
        around = level[max(first - 400, 0) : last + 400]
        own = np.percentile(level[first:last], 95) if first < last else -np.inf
        loud = level > max(own - RANGE_DB, np.percentile(around, 5) + ABOVE_NOISE_DB)
        inwards = min(_IN, (last - first) // 2)
        outer = max(first - _BACK, bounds[index]), min(last + _BACK, starts[index + 1])
        start = _edge(loud[outer[0] : first + inwards][::-1])
        end = _edge(loud[last - inwards : outer[1]])
        sharpened.append(
            Interval(
                interval.start if start is None else (first + inwards - start) * frame,
                interval.end if end is None else (last - inwards + end) * frame,
            )
        )
    return merge(sharpened)


def _edge(loud: NDArray[np.bool_]) -> int | None:
    """Frames from the start of ``loud`` to the end of the sound that it begins in."""
    at = np.flatnonzero(loud)
    if not len(at):
        return None
    breaks = np.flatnonzero(np.diff(at) > _GAP)
    return int(at[breaks[0]] if len(breaks) else at[-1]) + 1


def _levels(audio: Samples) -> NDArray[np.float32]:
    """Level of each 5 ms frame, dB; digital silence counts as -120."""
    frames = audio[: len(audio) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.einsum("nk,nk->n", frames, frames) / _FRAME
    levels: NDArray[np.float32] = 10 * np.log10(power + 1e-12)
    return levels
