"""From prosody to sound: by the graph as it is, or with its generator in numpy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
import threadpoolctl

from stages.base import EngineError
from stages.tts.kokoro.crew import Crew, Desk
from stages.tts.kokoro.generator import Generator
from stages.tts.kokoro.graph import DECODER, SOUND, SPECTRUM, STYLE, WAVEFORM, WEIGHTS
from stream.frames import Samples

MOST_DB = 3.0
"""Log-spectral distance up to which two ways to make the sound are alike; rounding to eight bits
otherwise, or features a thousandth stronger, move it by 2."""

_RANGE_DB = 60.0
"""Below the loudest bin by more, nothing is compared."""

_WORTH = 0.95
"""The share of the other's time below which a way is faster."""

Prosody = Mapping[str, Samples]
"""``graph.PROSODY`` and the style, as inputs of the graph."""


class Vocoder(Protocol):
    """Makes sound of prosody."""

    def __call__(self, prosody: Prosody) -> Samples:
        """Mono at 24 kHz, shape ``(n,)``."""
        ...


class GraphVocoder:
    """The graph as it is, run by onnxruntime.

    Args:
        folder: with ``SOUND``.
        threads: of the CPU.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._sound = load(folder / SOUND, threads)

    def __call__(self, prosody: Prosody) -> Samples:
        """See ``Vocoder``."""
        return np.asarray(self._sound.run(None, prosody)[0], np.float32).ravel()


class NumpyVocoder:
    """The generator in numpy, which takes nine tenths of the time, and the rest by onnxruntime.

    BLAS gets one thread, in the whole process: the blocks of a convolution are shared out instead.

    Args:
        folder: with ``DECODER``, ``WEIGHTS`` and ``WAVEFORM``.
        threads: of the CPU.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        threadpoolctl.threadpool_limits(1, "blas")
        self._decoder = load(folder / DECODER, threads)
        self._waveform = load(folder / WAVEFORM, 1)
        with np.load(folder / WEIGHTS) as weights:
            self._generator = Generator(weights)
        self._threads = threads
        self._desks: list[Desk] = []
        self._outputs = [output.name for output in self._decoder.get_outputs()]

    def __call__(self, prosody: Prosody) -> Samples:
        """See ``Vocoder``."""
        decoded = dict(zip(self._outputs, self._decoder.run(None, prosody), strict=True))
        style = {name: decoded.pop(output).ravel() for name, output in STYLE.items()}
        features, *harmonics = (
            np.ascontiguousarray(decoded.pop(output)[0].T) for output in list(decoded)
        )
        with Crew(self._threads, self._desks) as crew:
            spectrum = self._generator(features, harmonics, style, crew)
            inputs = {SPECTRUM: np.ascontiguousarray(spectrum.T[None])}
        return np.asarray(self._waveform.run(None, inputs)[0], np.float32).ravel()


def vocoder(folder: Path, threads: int) -> Vocoder:
    """The one whose parts are in a folder."""
    kind = NumpyVocoder if (folder / WEIGHTS).exists() else GraphVocoder
    return kind(folder, threads)


def numpy_is_faster(folder: Path, prosody: Prosody) -> bool:
    """Whether ``NumpyVocoder`` takes less time for a sound that is alike.

    By the time of one thread, so that other work on the machine does not decide.

    Args:
        folder: with the parts of both.
        prosody: of speech to try.
    """
    whole, divided = GraphVocoder(folder, 1), NumpyVocoder(folder, 1)
    expected, usual = _timed(whole, prosody)
    sound, time_ = _timed(divided, prosody)
    return time_ < _WORTH * usual and (
        len(sound) == len(expected) and log_spectral_distance(sound, expected) < MOST_DB
    )


def _timed(way: Vocoder, prosody: Prosody) -> tuple[Samples, float]:
    way(prosody)  # memory is allocated once
    began = time.thread_time()
    sound = way(prosody)
    return sound, time.thread_time() - began


def log_spectral_distance(one: Samples, other: Samples) -> float:
    """Mean over time of the root of the mean squared difference of log spectra, dB."""
    spectra = [_magnitudes(one), _magnitudes(other)]
    least = max(spectrum.max() for spectrum in spectra) * 10 ** (-_RANGE_DB / 20)
    levels = [20 * np.log10(np.maximum(spectrum, max(least, 1e-9))) for spectrum in spectra]
    return float(np.sqrt(((levels[0] - levels[1]) ** 2).mean(1)).mean())


def _magnitudes(sound: Samples) -> Samples:
    windows = np.lib.stride_tricks.sliding_window_view(sound, 1024)[::256]
    return np.abs(np.fft.rfft(windows * np.hanning(1024))).astype(np.float32)


def load(path: Path, threads: int) -> Any:
    """A session of onnxruntime.

    Raises:
        EngineError: if the file is no such graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # It keeps the most that any sentence took, 80 MB, and saves no time.
    options.enable_cpu_mem_arena = False
    # A spinning pool would burn the core that recognition needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors derive from nothing narrower
        raise EngineError(f"{path} is not a Kokoro model in ONNX form: {error}") from error
