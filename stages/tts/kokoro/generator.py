"""Kokoro's generator: from decoded features to the spectrum of the sound, in numpy.

The generator of iSTFTNet (Kaneko et al., ICASSP 2022) as StyleTTS 2 has it (Li et al., NeurIPS
2023): nine tenths of the cost of the voice. Sound is ``(time, channels)`` here, so that all its
convolutions are products of matrices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stages.tts.kokoro.crew import Crew
from stages.tts.kokoro.fast_convolution import FastConvolution
from stream.frames import Samples

UPSAMPLINGS = (10, 6)
KERNELS = 3
"""Residual blocks side by side after each upsampling."""
DILATIONS = (1, 3, 5)
BLOCKS = tuple(
    [f"noise_res.{stage}" for stage in range(len(UPSAMPLINGS))]
    + [f"resblocks.{number}" for number in range(len(UPSAMPLINGS) * KERNELS)]
)
"""Names of the residual blocks: those of the harmonics, and those of the sound."""
HALVES = (1, 2)

_ROWS = 256
"""Rows that are activated at a time: they stay in the cache from one operation to the next."""
_EPSILON = 1e-5


class Generator:
    """The generator of one model.

    Args:
        weights: of every convolution, ``(taps, in, out)``, of the upsamplings, ``(in, out, taps)``,
            and biases and alphas, by the model's own names.
    """

    def __init__(self, weights: Mapping[str, Samples]) -> None:
        blocks = {name: _Residual(weights, name) for name in BLOCKS}
        self._stages = [
            (
                _Upsampling(weights[f"ups.{i}.weight"], weights[f"ups.{i}.bias"], stride),
                blocks[f"noise_res.{i}"],
                [blocks[f"resblocks.{i * KERNELS + k}"] for k in range(KERNELS)],
            )
            for i, stride in enumerate(UPSAMPLINGS)
        ]
        self._last = FastConvolution(weights["conv_post.weight"])
        self._last_bias = weights["conv_post.bias"]

    def __call__(
        self,
        features: Samples,
        harmonics: list[Samples],
        style: Mapping[str, Samples],
        crew: Crew,
    ) -> Samples:
        """The log-magnitudes and phases of the sound, until the crew's next convolution.

        Args:
            features: decoded, shape ``(time, channels)``.
            harmonics: of the voice's source, for each upsampling; taken out as they are used, since
                they are large.
            style: gain and shift of each normalisation, shape ``(channels,)``.
            crew: does it.

        Returns:
            Shape ``(frames, 2 * bins)``.
        """
        sound = features
        for upsample, residual, blocks in self._stages:
            source = harmonics.pop(0)
            sound = upsample(_leaky(sound, 0.1))
            if len(sound) < len(source):  # the last one begins with its second sample mirrored
                sound = np.concatenate([sound[1:2], sound])
            sound += residual(source, style, crew)
            del source
            total = blocks[0](sound, style, crew)
            for block in blocks[1:]:
                total += block(sound, style, crew)
            total /= len(blocks)
            sound = total
        time = len(sound)
        padded = np.zeros((self._last.rows(time), sound.shape[1]), np.float32)
        padded[self._last.margin :][:time] = _leaky(sound, 0.01)
        spectrum = self._last(padded, time, crew)
        spectrum += self._last_bias
        return spectrum


def _leaky(sound: Samples, slope: float) -> Samples:
    leaky: Samples = np.maximum(sound, sound * np.float32(slope))
    return leaky


class _Upsampling:
    """A transposed convolution whose kernel is twice its stride."""

    def __init__(self, weights: Samples, bias: Samples, stride: int) -> None:
        ins, outs, taps = weights.shape
        self._matrix = np.ascontiguousarray(weights.transpose(0, 2, 1).reshape(ins, taps * outs))
        self._bias = bias
        self._stride = stride

    def __call__(self, sound: Samples) -> Samples:
        time, outs = len(sound), len(self._bias)
        spread = (sound @ self._matrix).reshape(time, 2, self._stride, outs)
        whole = np.empty((time + 1, self._stride, outs), np.float32)
        whole[:time] = spread[:, 0]
        whole[time] = 0
        whole[1:] += spread[:, 1]
        whole += self._bias
        edge = self._stride // 2
        return whole.reshape(-1, outs)[edge : edge + time * self._stride]


class _Residual:
    """For each dilation: normalise, activate, convolve, twice, and add what went in."""

    def __init__(self, weights: Mapping[str, Samples], name: str) -> None:
        self._pairs = [
            (
                _Activated(weights, name, 1, i, dilation),
                _Activated(weights, name, 2, i, 1),
                weights[f"{name}.convs2.{i}.bias"],
            )
            for i, dilation in enumerate(DILATIONS)
        ]

    def __call__(self, sound: Samples, style: Mapping[str, Samples], crew: Crew) -> Samples:
        result = sound.copy()
        for first, second, bias in self._pairs:
            # The first one's bias makes no difference, as the mean is taken out again.
            change = second(first(result, style, crew), style, crew)

            def add(row: int, change: Samples = change, bias: Samples = bias) -> None:
                rows = result[row : row + _ROWS]
                rows += change[row : row + _ROWS]
                rows += bias

            crew.each(add, range(0, len(sound), _ROWS))
        return result


class _Activated:
    """Adaptive instance normalisation, Snake (Ziyin et al., NeurIPS 2020), and convolution."""

    def __init__(
        self, weights: Mapping[str, Samples], name: str, half: int, number: int, dilation: int
    ) -> None:
        self._alpha = weights[f"{name}.alpha{half}.{number}"]
        self._style = f"{name}.adain{half}.{number}"
        # Snake is u + sin(au)^2 / a, or (v + sin(v)^2) / a with v = au: its division is done here.
        taps = weights[f"{name}.convs{half}.{number}.weight"] / self._alpha[:, None]
        self._convolution = FastConvolution(taps, dilation)

    def __call__(self, sound: Samples, style: Mapping[str, Samples], crew: Crew) -> Samples:
        time, channels = sound.shape
        mean, deviation = _moments(sound, crew)
        gain = style[f"{self._style}.gain"] / deviation
        shift = style[f"{self._style}.shift"] - mean * gain
        gain, shift = gain * self._alpha, shift * self._alpha
        margin = self._convolution.margin
        padded = crew.scratch("padded", self._convolution.rows(time), channels)
        padded[:margin] = 0
        padded[margin + time :] = 0
        inner = padded[margin : margin + time]

        def activate(first: int) -> None:
            rows = inner[first : first + _ROWS]
            square = crew.scratch("square", *rows.shape)
            np.multiply(sound[first : first + _ROWS], gain, out=rows)
            rows += shift
            np.sin(rows, out=square)
            np.multiply(square, square, out=square)
            rows += square

        crew.each(activate, range(0, time, _ROWS))
        return self._convolution(padded, time, crew)


def _moments(sound: Samples, crew: Crew) -> tuple[Samples, Samples]:
    """Mean and standard deviation of each channel."""
    time, channels = sound.shape
    ones = np.ones(_ROWS, np.float32)
    firsts = range(0, time, _ROWS)
    sums = np.empty((len(firsts), 2, channels), np.float32)

    def add(first: int) -> None:
        rows = sound[first : first + _ROWS]
        square = crew.scratch("square", *rows.shape)
        np.multiply(rows, rows, out=square)
        sums[first // _ROWS] = ones[: len(rows)] @ rows, ones[: len(rows)] @ square

    crew.each(add, firsts)
    mean, squares = sums.sum(0, np.float64) / time
    deviation = np.sqrt(np.maximum(squares - mean * mean, 0) + _EPSILON)
    return mean.astype(np.float32), deviation.astype(np.float32)
