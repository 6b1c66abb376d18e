"""Tempo change of synthesised speech without change of pitch.

The method is WSOLA, overlap-add of waveform segments shifted to where they fit best (Verhelst
& Roelands, ICASSP 1993), as FFmpeg's ``atempo`` filter does it. It copies whole pitch periods,
so a voice keeps its timbre; docs/inside/tempo.md has the comparison.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

_QUIET = 0.01  # of the peak, -40 dB: what comes first and is below is taken for silence
_TAIL = 0.2  # seconds of silence after the input, longer than the filter's last windows


def change_tempo(samples: NDArray[np.float32], rate: int, tempo: float) -> NDArray[np.float32]:
    """Speed speech up or slow it down, at the same pitch.

    What is at time ``t`` of the input is at ``t / tempo`` of the output, give or take 20 ms
    inside the utterance and exactly at its onset.

    Args:
        samples: one utterance, mono, shape ``(n,)``, full scale 1.
        rate: sample rate, Hz.
        tempo: factor of speed, 0.5 to 2; more than 1 is faster.

    Returns:
        ``round(n / tempo)`` samples at ``rate``; at tempo 1, ``samples`` itself.

    Raises:
        ValueError: the tempo is out of range, or the input is not mono or not finite.
    """
    if not 0.5 <= tempo <= 2:
        raise ValueError(f"tempo must be between 0.5 and 2, got {tempo}")
    if samples.ndim != 1:
        raise ValueError(f"samples must be mono, of shape (n,), got shape {samples.shape}")
    if not np.isfinite(samples).all():
        raise ValueError("samples must be finite, but some are NaN or infinite")
    if tempo == 1:
        return samples
    length = round(len(samples) / tempo)
    # The filter's search is drawn from silence to the louder speech after it, which moves the
    # onset by up to 21 ms; started at the onset, it leaves it in place.
    level = np.abs(samples)
    loud = np.flatnonzero(level > _QUIET * level.max(initial=0))
    if not len(loud):
        return np.zeros(length, np.float32)
    start = int(loud[0])
    onset = round(start / tempo)
    lead = np.pad(samples[:start], (max(0, onset - start), 0))[-onset:] if onset else samples[:0]
    out = np.concatenate([lead, _atempo(samples[start:], rate, tempo)])[:length]
    return np.pad(out, (0, length - len(out)))


def _atempo(samples: NDArray[np.float32], rate: int, tempo: float) -> NDArray[np.float32]:
    """The filter's output, with silence after it."""
    graph = Graph()
    time = Fraction(1, rate)
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=time)
    sink = graph.add("abuffersink")
    graph.link_nodes(source, graph.add("atempo", repr(float(tempo))), sink).configure()
    padded = np.pad(samples, (0, round(_TAIL * rate))).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(padded[None], format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, time, 0
    graph.push(frame)
    graph.push(None)
    blocks: list[NDArray[np.float32]] = []
    with suppress(av.EOFError):
        while True:
            pulled = graph.pull()
            assert isinstance(pulled, av.AudioFrame)
            blocks.append(pulled.to_ndarray()[0])
    return np.concatenate(blocks)
