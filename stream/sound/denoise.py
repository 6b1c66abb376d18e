"""Suppression of steady noise by FFmpeg's filters, without shifting the sound in time."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph

from stream.frames import Samples

_REDUCTION = 12
"""dB that afftdn takes off the noise; more makes musical tones."""

_WINDOW = 0.025
"""Seconds by which afftdn is late, and does not say so in its timestamps."""

_RNN_RATE = 48_000
"""Hz at which the networks of arnndn work."""


def afftdn(samples: Samples, rate: int) -> Samples:
    """Spectral subtraction; the noise is estimated from the quietest tenth of the sound.

    Args:
        samples: mono, shape ``(n,)``.
        rate: Hz.

    Returns:
        As many samples, each at its own time.
    """
    late = int(rate * _WINDOW)
    return _filtered(
        samples, rate, [("afftdn", f"nr={_REDUCTION}:nf={_floor(samples, rate):.1f}")], late
    )


def arnndn(samples: Samples, rate: int, model: Path) -> Samples:
    """A recurrent network's suppression (RNNoise); as ``afftdn``.

    Args:
        samples: mono, shape ``(n,)``.
        rate: Hz.
        model: an ``.rnnn`` file.

    Raises:
        ValueError: if FFmpeg cannot use the model.
    """
    escaped = str(model).replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\:")
    try:
        return _filtered(
            samples,
            rate,
            [
                ("aresample", str(_RNN_RATE)),
                ("arnndn", f"m={escaped}"),
                ("aresample", str(rate)),
            ],
        )
    except av.FFmpegError as error:
        raise ValueError(f"{model} is no model for arnndn") from error


def _floor(samples: Samples, rate: int) -> float:
    """Level of the quietest tenth, dBFS, within what afftdn takes."""
    frames = samples[: len(samples) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
    if not len(frames):
        return -80.0
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    return float(np.clip(10 * np.log10(np.quantile(power, 0.1) + 1e-12), -80, -20))


def _filtered(
    samples: Samples, rate: int, filters: list[tuple[str, str]], late: int = 0
) -> Samples:
    if not len(samples):
        return samples
    graph = Graph()
    time = Fraction(1, rate)
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=time)
    nodes = [graph.add(name, arguments) for name, arguments in filters]
    shape = graph.add("aformat", "sample_fmts=flt:channel_layouts=mono")
    graph.link_nodes(source, *nodes, shape, graph.add("abuffersink")).configure()
    # The filters are late by their windows: silence after the sound brings its end out.
    padded = np.pad(samples, (0, rate // 4)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(padded[None], format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, time, 0
    graph.push(frame)
    graph.push(None)
    out = np.zeros(len(samples), np.float32)
    position = -late
    with suppress(av.EOFError):
        while True:
            pulled = graph.pull()
            assert isinstance(pulled, av.AudioFrame)
            block = pulled.to_ndarray()[0]
            first = max(position, 0)
            last = min(position + len(block), len(out))
            if last > first:
                out[first:last] = block[first - position : last - position]
            position += len(block)
    return out
