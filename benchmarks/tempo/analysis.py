"""How a stretched signal is compared with its original."""

from __future__ import annotations

import importlib
import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.tempo.arrays import Array, Samples
from stream.sound.resample import resample

RATE = 24000
"""Rate at which signals are analysed, Hz."""

FINE, HOP = 48, 192
"""Hop of the analysis of originals, 2 ms, and of results, 8 ms, in samples."""

REACH = 15
"""Analysis frames, 30 ms, that a result may be off its nominal time."""

FRAME = 960
"""Samples, 40 ms: three periods of a low voice."""

STEP = 24
"""Hop of the analysis of attacks, 1 ms, in samples."""

ATTACK = 15.0
"""Rise within 6 ms that counts as an attack, dB."""


@dataclass(frozen=True)
class Analysis:
    """What is compared of a signal, frame by frame."""

    mel: Array
    active: NDArray[np.bool_]
    voiced: NDArray[np.bool_]
    pitch: Array
    harmonicity: Array
    peakiness: Array
    rise: Array


def analyse(samples: Array, hop: int) -> Analysis:
    """Analyse a signal at ``RATE``."""
    mel = np.abs(np.fft.rfft(_frames(samples, 768, hop) * np.hanning(768), 1024)) ** 2 @ _bank()
    level = _decibels(mel.sum(1))
    pitch, periodicity = _pitch(samples, hop)
    active = level > level.max() - 40
    voiced = (periodicity > 0.7) & (level > level.max() - 30)
    return Analysis(
        mel,
        active,
        voiced,
        pitch,
        _decibels(periodicity / (1 - periodicity)),
        _peakiness(samples, hop, voiced),
        _rise(samples),
    )


def compare(original: Analysis, result: Analysis, tempo: float) -> dict[str, float]:
    """Measure a result against its original; see docs/inside/tempo.md."""
    match, distance, shift = _align(original, result, tempo)
    active = original.active[match]
    voiced = original.voiced[match] & result.voiced
    cents = (1200 * np.log2(result.pitch / original.pitch[match]))[voiced]
    same = np.abs(cents) < 100
    attacks = _attacks(original.rise)
    loss = [
        original.rise[attack] - result.rise[max(0, at - 25) : at + 26].max(initial=0)
        for attack in attacks
        for at in [round(attack / tempo)]
    ]
    return {
        "spectrum dB": float(distance[active].mean()),
        "wander ms": float(shift[active].std()),
        "pitch cents": float(np.sqrt((cents[same] ** 2).mean())),
        "pitch lost %": float(100 * (~same).mean()),
        "voicing %": float(100 * (original.voiced[match] == result.voiced)[active].mean()),
        "HNR dB": float((result.harmonicity - original.harmonicity[match])[voiced].mean()),
        "pulse dB": float((result.peakiness - original.peakiness[match])[voiced].mean()),
        "attack dB": -float(np.mean(loss)),
        "attacks %": 100 * len(_attacks(result.rise)) / len(attacks),
    }


def _align(
    original: Analysis, result: Analysis, tempo: float
) -> tuple[NDArray[np.intp], Array, Array]:
    """The original's frame for each of the result's, their distances, dB, and shifts, ms.

    Dynamic programming over shifts of up to ``REACH`` frames from the nominal time, which
    change by at most 3 frames, at 0.3 dB each.
    """
    floor = original.mel.max() * 1e-6
    before = _decibels(np.maximum(original.mel, floor))
    after = _decibels(np.maximum(result.mel, floor))
    shifts = np.arange(-REACH, REACH + 1)
    nominal = np.round(np.arange(len(after)) * HOP * tempo / FINE).astype(np.intp)
    index = (nominal[:, None] + shifts).clip(0, len(before) - 1)
    local = np.sqrt(((before[index] - after[:, None]) ** 2).mean(2))
    moves = np.array([0, -1, 1, -2, 2, -3, 3])
    source = np.arange(len(shifts)) - moves[:, None]
    outside = np.where((source < 0) | (source >= len(shifts)), np.inf, 0)
    outside += 0.3 * np.abs(moves)[:, None]
    source = source.clip(0, len(shifts) - 1)
    total = local[0] + 0.02 * np.abs(shifts)
    back = np.zeros(local.shape, np.intp)
    for frame in range(1, len(local)):
        costs = total[source] + outside
        move = costs.argmin(0)
        back[frame] = source[move, np.arange(len(shifts))]
        total = costs.min(0) + local[frame]
    path = np.zeros(len(local), np.intp)
    path[-1] = total.argmin()
    for frame in range(len(local) - 1, 0, -1):
        path[frame - 1] = back[frame, path[frame]]
    rows = np.arange(len(local))
    return index[rows, path], local[rows, path], shifts[path] * FINE / RATE * 1000


def _frames(samples: Array, size: int, hop: int) -> Array:
    padded = np.pad(samples, size // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]


def _decibels(power: Array) -> Array:
    return np.asarray(10 * np.log10(power + 1e-12))


@cache
def _bank() -> Array:
    """40 triangular mel bands of 60 Hz to 10.5 kHz."""
    low, high = 2595 * np.log10(1 + np.array([60, 10500]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, 42) / 2595) - 1)
    bins = np.fft.rfftfreq(1024, 1 / RATE)[:, None]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling))


def _pitch(samples: Array, hop: int) -> tuple[Array, Array]:
    """Pitch, 65 to 400 Hz, and height of its autocorrelation peak (Boersma 1993)."""
    window = np.hanning(FRAME)
    frames = _frames(samples, FRAME, hop)
    frames = (frames - frames.mean(1, keepdims=True)) * window
    correlation = _autocorrelation(frames)
    taper = _autocorrelation(window[None])[0]
    correlation = correlation / np.maximum(correlation[:, :1], 1e-9) / (taper / taper[0])
    lags = np.arange(RATE // 400, RATE // 65)
    octave_cost = 0.02 * np.log2(lags / lags[0])
    lag = (correlation[:, lags] - octave_cost).argmax(1) + lags[0]
    rows = np.arange(len(lag))
    left, peak, right = (correlation[rows, lag + offset] for offset in (-1, 0, 1))
    bend = np.minimum(left - 2 * peak + right, -1e-9)
    offset = (0.5 * (left - right) / bend).clip(-0.5, 0.5)
    height = (peak - 0.25 * (left - right) * offset).clip(1e-6, 1 - 1e-4)
    return RATE / (lag + offset), height


def _autocorrelation(frames: Array) -> Array:
    return np.fft.irfft(np.abs(np.fft.rfft(frames, 2048)) ** 2)[:, :FRAME]


def _peakiness(samples: Array, hop: int, voiced: NDArray[np.bool_]) -> Array:
    """Kurtosis of the residual of linear prediction in voiced frames, dB: glottal pulses."""
    order = 26
    frames = _frames(samples, FRAME, hop)[voiced]
    correlation = _autocorrelation(frames * np.hanning(FRAME))[:, : order + 1]
    correlation[:, 0] *= 1 + 1e-5
    lags = np.abs(np.arange(order)[:, None] - np.arange(order))
    matrix = correlation[:, lags] + 1e-9 * np.eye(order)
    taps = np.linalg.solve(matrix, correlation[:, 1:, None])[..., 0]
    inverse = np.concatenate([np.ones((len(taps), 1)), -taps], 1)
    residual = np.fft.irfft(np.fft.rfft(frames, 2048) * np.fft.rfft(inverse, 2048))
    residual = residual[:, order:FRAME]
    out = np.zeros(len(voiced))
    out[voiced] = _decibels((residual**4).mean(1) / np.maximum((residual**2).mean(1) ** 2, 1e-20))
    return out


def _rise(samples: Array) -> Array:
    """Rise of the level above 1.5 kHz within 6 ms, dB."""
    spectra = np.abs(np.fft.rfft(_frames(samples, 120, STEP) * np.hanning(120), 256)) ** 2
    power = spectra[:, 16:].sum(1)
    level = _decibels(np.maximum(power, power.max() * 1e-5))
    return np.pad(level[6:] - level[:-6], 3)


def _attacks(rise: Array) -> list[int]:
    return [
        frame
        for frame in range(30, len(rise) - 30)
        if rise[frame] > ATTACK and rise[frame] == rise[frame - 30 : frame + 31].max()
    ]


def onset(samples: Samples, rate: int) -> float:
    """Time at which the signal first reaches -30 dB of its peak, ms."""
    level = np.abs(samples)
    return float(np.argmax(level > 0.03 * level.max())) / rate * 1000


def mean_opinion(samples: Array) -> float:
    """DNSMOS P.835's rating of the speech signal, 1 to 5 (Reddy et al. 2022)."""
    speech = resample(samples.astype(np.float32), RATE, 16000)
    length = 144160  # the model's 9.01 s
    raw = _judge().run(None, {"input_1": np.resize(speech, length)[None]})[0][0][0]
    return float(np.polyval([-0.08397278, 1.22083953, 0.0052439], raw))


@cache
def _judge() -> Any:
    folder = importlib.resources.files("speechmos") / "dnsmos_models"
    return ort.InferenceSession(str(folder / "sig_bak_ovr.onnx"))
