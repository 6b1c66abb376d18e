"""Resident memory over a long run: ``python benchmarks/memory.py OUT.png [--minutes 60]``.

Dubs the demo clip repeated to an hour and samples the process's memory. Growth is reported from
the end of the first tenth, when every buffer has been filled once, to the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo_clip import make_clip
from matplotlib.figure import Figure


def resident(pid: int) -> float | None:
    """Resident memory of a process, MB; ``None`` once it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    except FileNotFoundError:
        pass
    return None


def main() -> None:
    """Run, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--engine", default="espeak")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", minutes=options.minutes, size="320x180")
        command = [sys.executable, "-m", "server.cli", "file", str(clip.path), f"{folder}/out.mp4"]
        process = subprocess.Popen(
            [*command, "--set", f"tts.engine={options.engine}"], stderr=subprocess.DEVNULL
        )
        began, times, memory = time.monotonic(), [], []
        while process.poll() is None:
            if (rss := resident(process.pid)) is not None:
                times.append(time.monotonic() - began)
                memory.append(rss)
            time.sleep(0.5)
        if process.returncode:
            sys.exit(f"the run failed with status {process.returncode}")
    settled = memory[len(memory) // 10]
    print(
        f"{options.minutes:g} minutes dubbed in {times[-1]:.0f} s: {settled:.0f} MB after a tenth, "
        f"{memory[-2]:.0f} MB at the end, {max(memory):.0f} MB at most"
    )
    figure = Figure(figsize=(9, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot([t / times[-1] * options.minutes for t in times], memory, color="#0072B2")
    axis.set(xlabel="media time, minutes", ylabel="resident memory, MB", ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
