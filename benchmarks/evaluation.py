"""Every table of docs/inside/results.md but that of other projects: ``make eval``.

    python -m benchmarks.evaluation OUT [--people FOLDER] [--only TABLE ...] [--clips A,B]

Makes the demo set if it is not there, says how long all will take, runs ``livedub eval`` for one
table after the other, says meanwhile what is left, and writes ``OUT/tables.md`` and a folder with
the full report of each. Live runs take as long as their media, whatever the machine; run it on an
idle one.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo_set import make_set
from server.evaluation.manifest import Manifest, read_manifest
from server.evaluation.metrics import METRICS, shown
from server.evaluation.record import Evaluation, read_evaluation
from stream.errors import UserError
from stream.media.soundtrack import read_soundtrack
from stream.timeline import seconds

OVERHEAD_S = 12.0
"""Of each clip in each system: loading, and scoring afterwards."""

PACES = {"sequential": 0.08, "espeak": 0.12, "kokoro": 0.4}
"""Seconds for a second of media, offline, on two cores; a system is told by how its name begins."""

SET_S = 180.0
"""Making the demo set."""

SHORT = ("lighthouse", "interview")
"""Clips of the table with most systems."""

ESPEAK = ("--config", "espeak", "--set", "espeak:tts.engine=espeak")
LINE = re.compile(r"^(?P<system>[^:]+): (?P<clip>[\w.-]+)$")
"""What ``livedub eval`` prints as it begins a clip."""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: its folder's.
        systems: as ``livedub eval`` names them.
        arguments: for ``livedub eval``.
        clips: of the set; all where there are none.
        compared: systems of which the first is compared with the second.
    """

    name: str
    systems: tuple[str, ...]
    arguments: tuple[str, ...]
    clips: tuple[str, ...] = ()
    compared: tuple[str, str] | None = None

    @property
    def live(self) -> bool:
        """Whether its media pass in their own time."""
        return "--delays" in self.arguments


def tables() -> list[Table]:
    """All tables, the quickest first."""
    return [
        Table("english", ("espeak", "sequential"),
              (*ESPEAK, "--set", "mt.engine=none", "--sequential"), ("numbers",)),
        Table("offline", ("kokoro", "espeak", "sequential"),
              ("--config", "kokoro", *ESPEAK, "--sequential"),
              compared=("sequential", "kokoro")),
        _fit(),
        _live("live", ("kokoro", "espeak"), ("3", "4"), ("--config", "kokoro", *ESPEAK)),
        _on_time(),
    ]  # fmt: skip


def of_people() -> list[Table]:
    """The tables of recordings of people."""
    both = ("--config", "kokoro", *ESPEAK)
    return [
        Table("people-offline", ("kokoro", "espeak", "sequential"), (*both, "--sequential"),
              compared=("sequential", "kokoro")),
        _live("people-live", ("kokoro", "espeak"), ("3", "4"), both),
    ]  # fmt: skip


def _fit() -> Table:
    strategies = ("combined", "segment", "chunk", "global", "rate", "borrow")
    arguments = ["--set", "tts.engine=espeak"]
    for name in strategies:
        arguments += ["--config", name]
        if name != "combined":
            arguments += ["--set", f"{name}:fit.strategy={name}"]
        if name in ("segment", "chunk", "global"):
            arguments += ["--set", f"{name}:fit.max_tempo=1.05"]
    return Table("fit", strategies, tuple(arguments))


def _live(
    name: str, systems: Sequence[str], delays: Sequence[str], arguments: Sequence[str]
) -> Table:
    named = tuple(f"{system}@{delay}s" for system in systems for delay in delays)
    return Table(name, named, (*arguments, "--delays", ",".join(delays)))


def _on_time() -> Table:
    systems = {
        "kokoro": (),
        "kokoro-whole": ("asr.mode=utterance",),
        "espeak": ("tts.engine=espeak",),
        "espeak-agreed": ("tts.engine=espeak", "asr.agreement=2"),
        "espeak-whole": ("tts.engine=espeak", "asr.mode=utterance"),
    }
    arguments: list[str] = []
    for name, settings in systems.items():
        arguments += ["--config", name]
        for setting in settings:
            arguments += ["--set", f"{name}:{setting}"]
    made = _live("on-time", tuple(systems), ("3", "4", "6"), arguments)
    return Table(made.name, made.systems, made.arguments, SHORT)


class Clock:
    """How long it takes and how much is left.

    Args:
        runs: estimated seconds of each clip in each table and system.
        now: seconds.
    """

    def __init__(
        self, runs: dict[tuple[str, str, str], float], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._left = dict(runs)
        self._whole = sum(runs.values())
        self._now = now
        self._began = now()
        self._running: tuple[str, str, str] | None = None

    def begins(self, run: tuple[str, str, str]) -> None:
        """A run begins, and the one before is over."""
        if self._running is not None:
            self._left.pop(self._running, None)
        self._running = run

    def says(self) -> str:
        """Minutes gone, and about how many are left at this machine's pace."""
        gone, left = self._now() - self._began, sum(self._left.values())
        done = self._whole - left
        pace = min(max(gone / done, 0.5), 4.0) if done else 1.0
        return f"{gone / 60:.0f} min gone, about {left * pace / 60:.0f} min to go"


def estimate(table: Table, lengths: dict[str, float]) -> dict[tuple[str, str, str], float]:
    """Seconds of each run of a table.

    Args:
        table: to be made.
        lengths: of the set's clips, seconds.
    """
    clips = table.clips or tuple(lengths)
    return {
        (table.name, system, clip): OVERHEAD_S + lengths[clip] * _pace(system, live=table.live)
        for system in table.systems
        for clip in clips
        if clip in lengths
    }


def _pace(system: str, *, live: bool) -> float:
    if live:
        return 1.0
    return next((pace for name, pace in PACES.items() if system.startswith(name)), PACES["espeak"])


def manifest_in(folder: Path) -> Path:
    """The manifest of recordings in English with translations into Portuguese.

    Raises:
        UserError: if there is none.
    """
    for path in sorted(folder.glob("*.yaml")):
        manifest = read_manifest(path)
        if (manifest.source, manifest.target) == ("en", "pt"):
            return path
    raise UserError(f"{folder} holds no manifest (.yaml) of recordings from en to pt")


def lengths_of(manifest: Manifest) -> dict[str, float]:
    """Seconds of each clip."""
    return {clip.name: seconds(read_soundtrack(clip.media).audio_end) for clip in manifest.clips}


def markdown(evaluation: Evaluation) -> str:
    """All figures that some system has, a column each."""
    values = [run.values() for run in evaluation.runs]
    lines = ["| figure | " + " | ".join(run.system for run in evaluation.runs) + " |"]
    lines.append("|---" * (1 + len(values)) + "|")
    for name, metric in METRICS.items():
        mine = [value[name] for value in values]
        if any(value is not None for value in mine):
            title = f"{metric.title}, {metric.unit}" if metric.unit else metric.title
            lines.append(f"| {title} | " + " | ".join(map(shown, mine)) + " |")
    return "\n".join(lines)


def make(table: Table, manifest: Path, out: Path, clock: Clock) -> str:
    """Run one table; returns it in Markdown.

    Raises:
        UserError: if ``livedub eval`` fails.
    """
    folder = out / table.name
    command = [sys.executable, "-m", "server.cli", "eval", str(manifest), *table.arguments]
    command += ["--out", str(folder)]
    if table.clips:
        command += ["--clips", ",".join(table.clips)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if (match := LINE.match(line.strip())) is not None:
                clock.begins((table.name, match["system"], match["clip"]))
                line = f"{table.name}: {line.strip()} ({clock.says()})\n"
            print(line, end="", flush=True)
    if running.returncode:
        raise UserError(f"the table '{table.name}' failed")
    report = folder / "eval.json"
    if table.compared is not None:
        pair = [f"{report}:{system}" for system in table.compared]
        compare = [sys.executable, "-m", "server.cli", "eval", "compare", *pair]
        subprocess.run([*compare, "--out", str(folder / "compared")], check=True)
    return f"## {table.name}\n\n{markdown(read_evaluation(report))}\n"


def main() -> None:
    """Make them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", type=Path, default=Path("demo/set"), help="the demo set's folder")
    parser.add_argument("--people", type=Path, help="recordings and their manifest")
    parser.add_argument("--only", nargs="+", metavar="TABLE")
    parser.add_argument("--clips", type=lambda text: tuple(text.split(",")), default=())
    options = parser.parse_args()
    demo = options.set / "manifest.yaml"
    if not demo.exists():
        print(f"The demo set is made first, in about {SET_S / 60:.0f} minutes.", flush=True)
        make_set(options.set)
    sets = [(demo, tables())]
    if options.people is None:
        print("Without recordings of people: give their folder as PEOPLE for their tables too.")
    else:
        sets.append((manifest_in(options.people), of_people()))
    plan: list[tuple[Path, Table]] = []
    runs: dict[tuple[str, str, str], float] = {}
    for manifest, wanted in sets:
        lengths = lengths_of(read_manifest(manifest, list(options.clips) or None))
        for table in wanted:
            if options.only is None or table.name in options.only:
                clips = options.clips or table.clips
                kept = Table(table.name, table.systems, table.arguments, clips, table.compared)
                plan.append((manifest, kept))
                runs |= estimate(kept, lengths)
    minutes = sum(runs.values()) / 60
    print(f"{len(plan)} tables, {len(runs)} runs: about {minutes:.0f} minutes.", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    clock = Clock(runs)
    made: list[str] = []
    for manifest, table in plan:
        made.append(make(table, manifest, options.out, clock))
        (options.out / "tables.md").write_text("\n".join(made), "utf-8")
    print(f"{options.out / 'tables.md'} written; {clock.says()}.")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"benchmarks.evaluation: {error}")
