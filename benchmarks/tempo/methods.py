"""The libraries that are compared, each as a function of samples, rate and tempo."""

from __future__ import annotations

import importlib
import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.tempo.arrays import Samples
from stream.sound.tempo import change_tempo

Method = Callable[[Samples, int, float], Samples]


def signalsmith(
    samples: Samples, rate: int, tempo: float, *, block: float | None = None
) -> Samples:
    """Signalsmith Stretch; blocks in seconds, None for its preset of 0.12."""
    stretch = importlib.import_module("python_stretch.Signalsmith").Stretch()
    if block is None:
        stretch.preset(1, rate)
    else:
        stretch.configure(1, round(block * rate), round(block * rate / 4))
    stretch.setTimeFactor(tempo)
    return np.asarray(stretch.process(samples[None])[0])


def bungee(samples: Samples, rate: int, tempo: float) -> Samples:
    """Bungee, a phase vocoder."""
    module = importlib.import_module("bungee_python.bungee")
    stretcher = module.Bungee(sample_rate=rate, channels=1, speed=tempo)
    return np.asarray(stretcher.process(samples[:, None])[:, 0])


def audiotsm(samples: Samples, rate: int, tempo: float) -> Samples:
    """WSOLA by audiotsm; its windows of 1024 samples at 44.1 kHz are kept in seconds."""
    window = round(1024 / 44100 * rate / 2) * 2
    arrays = importlib.import_module("audiotsm.io.array")
    writer = arrays.ArrayWriter(1)
    reader = arrays.ArrayReader(_with_tail(samples, rate)[None].astype(np.float64))
    importlib.import_module("audiotsm").wsola(1, speed=tempo, frame_length=window).run(
        reader, writer
    )
    return np.asarray(writer.data[0], np.float32)


def libtsm(samples: Samples, rate: int, tempo: float) -> Samples:
    """WSOLA by libtsm, windows of 25 ms and a search of 8 ms, for speech."""
    hop = round(0.0125 * rate)
    stretched = importlib.import_module("libtsm").wsola_tsm(
        _with_tail(samples, rate).astype(np.float64),
        1 / tempo,
        syn_hop=hop,
        win_length=2 * hop,
        tol=round(0.008 * rate),
    )
    return np.asarray(stretched.ravel(), np.float32)


def tdhs(samples: Samples, rate: int, tempo: float) -> Samples:
    """Bryant's audio-stretch, time-domain harmonic scaling, pitch periods of 60 to 400 Hz."""
    module = importlib.import_module("audiostretchy.interface.tdhs")
    stretch = module.TDHSAudioStretch(rate // 400, rate // 60, 1, 0)
    pcm = np.rint(np.clip(_with_tail(samples, rate), -1, 1) * 32767).astype(np.int16)
    out = np.zeros(stretch.output_capacity(len(pcm), 1 / tempo) + rate, np.int16)
    length = stretch.process_samples(pcm, len(pcm), out, 1 / tempo)
    length += stretch.flush(out[length:])
    stretch.deinit()
    return np.asarray(out[:length] / 32767, np.float32)


def rubber_band(samples: Samples, rate: int, tempo: float, *, engine: str) -> Samples:
    """Rubber Band, R2 ("ENGINE_FASTER") or R3 ("ENGINE_FINER"), offline."""
    module = importlib.import_module("pylibrb")
    stretcher = module.RubberBandStretcher(
        sample_rate=rate,
        channels=1,
        options=module.Option.PROCESS_OFFLINE | getattr(module.Option, engine),
        initial_time_ratio=1 / tempo,
    )
    stretcher.study(samples[None], final=True)
    stretcher.set_max_process_size(len(samples))
    stretcher.process(samples[None], final=True)
    return np.asarray(stretcher.retrieve_available()[0])


def phase_vocoder(samples: Samples, rate: int, tempo: float) -> Samples:
    """The plain phase vocoder, windows of 43 ms: phases run free, hence the metallic sound."""
    size = 2 * round(0.0214 * rate / 2) * 2
    hop = size // 4
    window = np.hanning(size + 1)[:size]
    padded = np.pad(_with_tail(samples, rate), size // 2)
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window)
    advance = 2 * np.pi * hop * np.arange(size // 2 + 1) / size
    phase = np.angle(spectra[0])
    positions = np.arange(0, len(spectra) - 1.5, tempo)
    out = np.zeros(len(positions) * hop + size)
    weight = np.zeros_like(out)
    for frame, position in enumerate(positions):
        before, after = spectra[int(position) :][:2]
        part = position % 1
        magnitude = (1 - part) * np.abs(before) + part * np.abs(after)
        span = slice(frame * hop, frame * hop + size)
        out[span] += window * np.fft.irfft(magnitude * np.exp(1j * phase))
        weight[span] += window**2
        deviation = np.angle(after) - np.angle(before) - advance
        phase += advance + deviation - 2 * np.pi * np.round(deviation / (2 * np.pi))
    return np.asarray((out / np.maximum(weight, 1e-3))[size // 2 :], np.float32)


def _with_tail(samples: Samples, rate: int) -> Samples:
    """With silence after it, for methods that keep their last window to themselves."""
    return np.pad(samples, (0, round(0.2 * rate)))


@dataclass(frozen=True)
class Candidate:
    """A method and the module it needs."""

    name: str
    module: str
    method: Method


CANDIDATES = (
    Candidate("change_tempo (atempo)", "av", change_tempo),
    Candidate("libtsm WSOLA", "libtsm", libtsm),
    Candidate("audiotsm WSOLA", "audiotsm", audiotsm),
    Candidate("audiostretchy TDHS", "audiostretchy", tdhs),
    Candidate("Signalsmith", "python_stretch", signalsmith),
    Candidate("Signalsmith, 80 ms", "python_stretch", partial(signalsmith, block=0.08)),
    Candidate("Bungee", "bungee_python", bungee),
    Candidate("Rubber Band R3", "pylibrb", partial(rubber_band, engine="ENGINE_FINER")),
    Candidate("Rubber Band R2", "pylibrb", partial(rubber_band, engine="ENGINE_FASTER")),
    Candidate("phase vocoder", "numpy", phase_vocoder),
)
