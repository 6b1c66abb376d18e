"""How much faster several processes dub: ``python -m benchmarks.batch [--files 12] [--jobs 1,2]``.

Dubs copies of a short clip with ``livedub batch``, with models that sleep (see
`benchmarks.sleeping`), then with real ones (``--engine``), and prints wall and CPU seconds for each
number of processes and how many times as fast that is as the first.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.demo_clip import Line, make_clip
from benchmarks.sleeping import SETTINGS, VARIABLE

SCRIPT = (
    Line("Good morning, and welcome to the river ferry.", 0.9),
    Line("Please keep your bags with you.", 1.1),
    Line("Thank you for travelling with us.", 1.0),
)
SLEEPING = "asr=0.5 mt=0.5 tts=1.0"


def dubbed(films: Path, jobs: int, settings: tuple[str, ...]) -> tuple[float, float]:
    """Wall and CPU seconds of a batch."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "server.cli", "batch", str(films), "--out", folder]
        command += ["--jobs", str(jobs)]
        for setting in settings:
            command += ["--set", setting]
        began, spent = time.perf_counter(), _cpu()
        environment = {**os.environ, VARIABLE: SLEEPING, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        took = time.perf_counter() - began, _cpu() - spent
        results = json.loads((Path(folder) / "batch.json").read_text())["files"]
        assert all(one["state"] == "finished" for one in results)
    return took


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=12)
    parser.add_argument(
        "--jobs", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2]
    )
    parser.add_argument("--engine", default="espeak", help="voice of the real models")
    parser.add_argument("--sleeping-only", action="store_true")
    options = parser.parse_args()
    kinds = [("sleeping", SETTINGS)]
    if not options.sleeping_only:
        kinds.append((options.engine, (f"tts.engine={options.engine}",)))
    table = Table(title=f"{options.files} clips")
    for heading in ("models", "processes", "wall, s", "CPU, s", "times as fast"):
        table.add_column(heading, justify="left" if heading == "models" else "right")
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", script=SCRIPT, size="320x180").path
        films = Path(folder) / "films"
        films.mkdir()
        for number in range(options.files):
            shutil.copy(clip, films / f"{number:03}.mp4")
        for name, settings in kinds:
            first = None
            for jobs in options.jobs:
                wall, cpu = dubbed(films, jobs, settings)
                first = first or wall
                row = (f"{wall:.1f}", f"{cpu:.1f}", f"{first / wall:.2f}")
                table.add_row(name, str(jobs), *row)
    Console().print(table)


if __name__ == "__main__":
    main()
