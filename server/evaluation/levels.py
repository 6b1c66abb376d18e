"""What lies under a dub: how loud the background still is, and how much of the speech is left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Samples
from stream.timeline import Interval

_FRAME = SPEECH_RATE // 20  # 50 ms: shorter than the gaps between words
_BACKGROUND = 0.2
"""Share of the frames that are taken to be background alone."""
_FLOOR = 1e-10
"""Power below which there is nothing: -100 dBFS."""


def bed_kept_db(
    bed: Samples, dubs: Sequence[Interval], between: Sequence[Interval]
) -> float | None:
    """Level of the background during dubs less what it is between them; 0 is best.

    Args:
        bed: what is mixed with the dub, mono at ``SPEECH_RATE``, shape ``(n,)``.
        dubs: when dubs are heard.
        between: when neither they are nor the original's speech.

    Returns:
        ``None`` where there are no dubs, or no background between them.
    """
    during, rest = _background(_powers(bed, dubs)), _background(_powers(bed, between))
    if during is None or rest is None or rest <= 10 * _FLOOR:
        return None
    return _db(during / rest)


def speech_left_db(original: Samples, bed: Samples, dubs: Sequence[Interval]) -> float | None:
    """Level of the original's speech in the bed less its own, dB: the lower, the better.

    From both the power of the background is taken away first, which would pass for speech.

    Args:
        original: mono at ``SPEECH_RATE``, shape ``(n,)``.
        bed: the same under the dub, on the same timeline.
        dubs: when the original speaks and a dub is heard over it.
    """
    spoken, left = _powers(original, dubs), _powers(bed, dubs)
    under, over = _background(left), _background(spoken)
    if under is None or over is None:
        return None
    speech = float(spoken.mean()) - over
    if speech <= _FLOOR:
        return None
    return _db(max(float(left.mean()) - under, _FLOOR * speech) / speech)


def _powers(audio: Samples, stretches: Sequence[Interval]) -> NDArray[np.float64]:
    """Mean square of each whole frame within the stretches."""
    found = [np.zeros(0)]
    for stretch in stretches:
        piece = audio[stretch.start // TICKS_PER_SAMPLE : stretch.end // TICKS_PER_SAMPLE]
        frames = piece[: len(piece) // _FRAME * _FRAME].astype(np.float64).reshape(-1, _FRAME)
        found.append(np.square(frames).mean(axis=1))
    return np.concatenate(found)


def _background(powers: NDArray[np.float64]) -> float | None:
    if len(powers) < 1 / _BACKGROUND:
        return None
    quiet = np.sort(powers)[: max(1, round(_BACKGROUND * len(powers)))]
    return max(float(quiet.mean()), _FLOOR)


def _db(ratio: float) -> float:
    return float(10 * np.log10(max(ratio, _FLOOR)))
