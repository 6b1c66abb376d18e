"""Speed and cost of a whole run: ``python benchmarks/pipeline.py [--runs N] [--engine NAME ...]``.

Dubs the demo clip N times with each synthesiser, in turn, offline and at live pace, each run in
a process of its own, and prints medians with the range. The first engine is the baseline of the
ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from demo_clip import make_clip
from rich.console import Console
from rich.table import Table

FIGURES = (
    ("speed", "x real time"),
    ("cpu_s_per_media_s", "CPU s / s"),
    ("on_time_rate", "on time"),
    ("isochrony", "isochrony"),
    ("first_dub_latency_s", "first dub, s"),
    ("load_s", "load, s"),
    ("peak_rss_mb", "peak MB"),
)
STAGES = ("asr", "mt", "tts")


def dub(clip: Path, engine: str, *, live: bool) -> dict[str, float]:
    """The figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "server.cli", "file", str(clip), f"{folder}/out.mp4"]
        command += ["--set", f"tts.engine={engine}", "--report", str(report)]
        if live:
            command += ["--realtime", "--delay", "6"]
        subprocess.run(command, check=True, capture_output=True)
        summary = json.loads(report.read_text())["summary"]
    figures = {key: summary[key] for key, _ in FIGURES if summary[key] is not None}
    return figures | {stage: summary["stage_s"][stage] / summary["media_s"] for stage in STAGES}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", nargs="+", default=["kokoro", "espeak"])
    parser.add_argument("--clip", type=Path, help="instead of the demo clip")
    parser.add_argument("--offline-only", action="store_true")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        clip = options.clip or make_clip(Path(folder) / "clip.mp4").path
        modes = (False,) if options.offline_only else (False, True)
        runs: dict[tuple[str, bool], list[dict[str, float]]] = {}
        for number in range(options.runs):
            for live in modes:
                for engine in options.engine:
                    console.print(f"run {number + 1}: {engine}, {'live' if live else 'offline'}")
                    runs.setdefault((engine, live), []).append(dub(clip, engine, live=live))
    for live in modes:
        table = Table(title=f"{'live, delay 6 s' if live else 'offline'}, {options.runs} runs")
        table.add_column("figure")
        for engine in options.engine:
            table.add_column(f"{engine}\nmedian (min-max)", justify="right")
        for key, label in (*FIGURES, *((stage, f"{stage}, s / s") for stage in STAGES)):
            cells = []
            for engine in options.engine:
                values = [run[key] for run in runs[engine, live] if key in run]
                cells.append(
                    f"{statistics.median(values):.3g} ({min(values):.3g}-{max(values):.3g})"
                    if values
                    else "-"
                )
            table.add_row(label, *cells)
        console.print(table)


if __name__ == "__main__":
    main()
