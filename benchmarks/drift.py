"""Whether the dub stays on time for an hour: ``python benchmarks/drift.py OUT.png [--minutes 60]``.

Dubs the demo clip, repeated, at live pace, and then finds by voice activity when each utterance and
its dub begin in the two files. Reports the onset error in twelve parts of the run, and its slope
(the Theil-Sen estimate, which is robust to outliers). ``--keep DIR`` leaves the files there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from demo_clip import make_clip
from matplotlib.figure import Figure
from scipy.stats import theilslopes

from server.evaluation.isochrony import PAUSE, onset_errors
from server.evaluation.measure import BREATH, SpeechPair, detect_speech
from stream.intervals import merge
from stream.timeline import TICK_RATE

PARTS = 12


def main() -> None:
    """Run, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--engine", default="espeak")
    parser.add_argument("--delay", type=float, default=4.0)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        clip = make_clip(folder / "clip.mp4", minutes=options.minutes, size="320x180").path
        dubbed, report = folder / "dubbed.mp4", folder / "report.json"
        subprocess.run(
            [sys.executable, "-m", "server.cli", "file", str(clip), str(dubbed),
             "--realtime", "--delay", str(options.delay), "--set", f"tts.engine={options.engine}",
             "--report", str(report)],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        pair = detect_speech(clip, dubbed)
        summary = json.loads(report.read_text())["summary"]
    times, errors = onsets(pair)
    edges = np.linspace(0, options.minutes, PARTS + 1)
    parts = [errors[(times >= a) & (times < b)] for a, b in pairwise(edges)]
    for (first, last), part in zip(pairwise(edges), parts, strict=True):
        if len(part):
            size = np.abs(part)
            print(
                f"{first:4.0f} to {last:3.0f} min: {len(part):3d} onsets, "
                f"median {np.median(part):+.0f} ms, absolute median {np.median(size):.0f}, "
                f"p95 {np.percentile(size, 95):.0f}"
            )
    slope, _, low, high = theilslopes(errors, times / 60)
    print(f"slope {slope:+.1f} ms an hour (95 %: {low:+.1f} to {high:+.1f})")
    print(f"picture: at most {pair.picture_shift} ms from its own time")
    shown = ("on_time_rate", "utterances", "late", "dropped", "failed", "isochrony", "peak_rss_mb")
    print(", ".join(f"{name} {summary[name]}" for name in shown))
    medians = [np.median(part) if len(part) else np.nan for part in parts]
    draw(options.picture, times, errors, edges, medians)


def onsets(pair: SpeechPair) -> tuple[np.ndarray, np.ndarray]:
    """When utterances begin, minutes, and how much later their dubs do, ms."""
    source = merge(pair.source, PAUSE)
    errors = onset_errors(source, merge(pair.dub, BREATH))
    pairs = [
        (utterance.start / TICK_RATE / 60, error)
        for utterance, error in zip(source, errors, strict=True)
        if error is not None
    ]
    times, late = np.array(pairs).T
    return times, late


def draw(
    picture: Path,
    times: np.ndarray,
    errors: np.ndarray,
    edges: np.ndarray,
    medians: Sequence[float],
) -> None:
    """Every onset, and the median of each part."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot(times, errors, ".", ms=3, color="#999999", label="an utterance")
    axis.stairs(medians, edges, color="#0072B2", lw=2, baseline=None, label="median")
    axis.set(
        xlabel="media time, minutes", ylabel="dub onset less\nspeech onset, ms", ylim=(-500, 500)
    )
    axis.legend(loc="upper right", frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
