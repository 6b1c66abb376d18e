"""Convolutions over time with fewer multiplications, as products of matrices.

A stretch of sound and the weights are each transformed, multiplied point by point, and transformed
back (Winograd, Arithmetic Complexity of Computations, 1980; Lavin, Gray, CVPR 2016). With all
channels side by side, the multiplication is one matrix product for each point, and so are the
transforms, which BLAS does at full speed on any processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from stages.tts.kokoro.crew import Crew
from stream.frames import Samples

_TILES = 100
"""Stretches convolved at a time: enough rows for BLAS, few enough to stay in the cache."""

_WINOGRAD_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""Where polynomials are evaluated for three taps; with more, rounding errors would grow."""

_STRETCH = {7: 24, 11: 32}
"""Samples transformed at a time for a number of taps by which a convolution costs least."""

_SHORTER = {7: 16, 11: 24}
"""The same for ``_WIDE`` sound: 4 % more time for the voice, and 55 MB less of weights."""

_WIDE = 256
"""Channels."""

_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A bilinear algorithm: ``back @ ((forward @ sound) * (weigh @ taps))``.

    Attributes:
        forward: shape ``(points, taken)``.
        weigh: shape ``(points, taps)``.
        back: shape ``(given, points)``; ``given`` is ``taken - taps + 1``.
    """

    forward: _Matrix
    weigh: _Matrix
    back: _Matrix


@cache
def algorithm(taps: int, channels: int) -> Algorithm:
    """The cheapest algorithm for a number of taps and of channels."""
    if taps <= 3:
        return _winograd(taps)
    stretch = _SHORTER if channels >= _WIDE else _STRETCH
    return _fourier(taps, stretch.get(taps, 2 * taps + 2))


def _winograd(taps: int) -> Algorithm:
    points = len(_WINOGRAD_POINTS) + 1  # and infinity

    def evaluate(length: int) -> _Matrix:
        powers = np.vander(_WINOGRAD_POINTS, length, increasing=True)
        return np.vstack([powers, np.eye(length)[-1]]).astype(np.float64)

    interpolate: _Matrix = np.linalg.inv(evaluate(points)).astype(np.float64)
    return Algorithm(interpolate.T, evaluate(taps), evaluate(points - taps + 1).T)


def _fourier(taps: int, taken: int) -> Algorithm:
    """By a real discrete Fourier transform; complex products take three real ones (Gauss)."""
    bins = np.arange(taken // 2 + 1)[:, None]

    def waves(length: int) -> tuple[_Matrix, _Matrix]:
        angle = 2 * np.pi * bins * np.arange(length) / taken
        return np.cos(angle), np.sin(angle)

    (xr, xi), (wr, wi), (yr, yi) = (waves(n) for n in (taken, taps, taken - taps + 1))
    xi = -xi
    ends, inner = [0, -1], slice(1, -1)  # the ends are real
    forward = [xr[ends], (xr + xi)[inner], xr[inner], xi[inner]]
    weigh = [wr[ends], wr[inner], (wi - wr)[inner], (wr + wi)[inner]]
    back = [yr[ends], 2 * (yr - yi)[inner], -2 * yi[inner], -2 * yr[inner]]
    return Algorithm(np.vstack(forward), np.vstack(weigh), np.vstack(back).T / taken)


class FastConvolution:
    """A convolution of one dimension, stride 1 and one group, that keeps the length of its sound.

    Args:
        weights: shape ``(taps, channels in, channels out)``; an odd number of taps.
        dilation: samples from one tap to the next.
    """

    def __init__(self, weights: Samples, dilation: int = 1) -> None:
        taps = len(weights)
        chosen = algorithm(taps, weights.shape[1])
        self._forward = chosen.forward.astype(np.float32)
        self._weights = np.tensordot(chosen.weigh.astype(np.float32), weights, 1)
        self._back = chosen.back.astype(np.float32)
        self._dilation = dilation
        self._given = len(chosen.back)
        self.margin = dilation * (taps // 2)
        """Zeros that the sound needs before it."""

    def rows(self, time: int) -> int:
        """Rows that the sound has to have, with its margin before it and zeros behind."""
        return self._tiles(time) * self._given * self._dilation + 2 * self.margin

    def _tiles(self, time: int) -> int:
        return -(-time // (self._given * self._dilation))

    def __call__(self, sound: Samples, time: int, crew: Crew) -> Samples:
        """Convolve.

        Args:
            sound: shape ``(rows(time), channels in)``, contiguous.
            time: samples of it, without what surrounds them.
            crew: does it.

        Returns:
            Shape ``(time, channels out)``, until the crew's next convolution.
        """
        points, taken = self._forward.shape
        given, apart = self._given, self._dilation
        tiles = self._tiles(time)
        ins, outs = self._weights.shape[1:]
        result = crew.scratch("convolved", tiles * given * apart, outs)

        def tiled(matrix: Samples, length: int) -> Samples:
            row, column = matrix.strides
            return as_strided(
                matrix,
                (tiles, apart, length, matrix.shape[1]),
                (given * apart * row, row, apart * row, column),
            )

        before, after = tiled(sound, taken), tiled(result, given)
        # Of the same size, and an even number of them, so that two threads end together.
        step = -(-tiles // (2 * -(-tiles * apart // (2 * _TILES))))

        def convolve(first: int) -> None:
            piece = after[first : first + step]
            shape = piece.shape[:2]
            spread = crew.scratch("spread", *shape, points, ins)
            product = crew.scratch("product", *shape, points, outs)
            np.matmul(self._forward, before[first : first + step], out=spread)
            np.matmul(_by_point(spread), self._weights, out=_by_point(product))
            np.matmul(self._back, product, out=piece)

        crew.each(convolve, range(0, tiles, step))
        return result[:time]


def _by_point(spread: Samples) -> Samples:
    """From ``(..., points, channels)`` to ``(points, rows, channels)``."""
    return spread.reshape(-1, *spread.shape[-2:]).transpose(1, 0, 2)
