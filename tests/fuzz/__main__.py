"""Every door for its share of the minutes given, then properties and the API: ``make fuzz``.

Each runs in a process of its own, whose memory and descriptors are watched: one that grows beyond a
bound has failed, as has one that raises what it is not documented to. What it was given then lies
in ``build/fuzz``, and `python -m tests.fuzz.one` begins with what was found there before.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.doors import DOORS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "fuzz"

SETTLED_S = 5.0
"""Seconds in which a door that is loaded takes its seeds: from then on, growth counts."""

LOADED = re.compile(r"Loaded|collected \d+ items?")
"""What libFuzzer or pytest says when it begins."""

LOADED_S = 300.0
"""Seconds until it is loaded, on a busy machine."""

LATE_S = 60.0
"""Seconds for one that ends by itself, after its time."""

MOST_MB, MOST_DESCRIPTORS = 600, 40
"""By which a process may grow after that; what fuzzers remember is some 100 MB."""


@dataclass
class Watched:
    """A process, and what it has taken since it had settled."""

    process: subprocess.Popen[str]
    log: Path
    grown_mb: float = 0
    descriptors: int = 0
    excess: str = ""

    def watch(self, seconds: float) -> int:
        """Wait for its end, or end it; its status, 0 where its time was over."""
        began, first = time.monotonic(), (0.0, 0)
        until, loaded = began + LOADED_S, False
        while (status := self.process.poll()) is None:
            now = time.monotonic()
            try:
                taken = self._taken()
            except OSError:
                continue
            if not loaded and LOADED.search(self.log.read_text(errors="replace")):
                loaded, began, until = True, now, now + seconds + LATE_S
            if not loaded or now - began < SETTLED_S:
                first = max(first[0], taken[0]), max(first[1], taken[1])
            self.grown_mb = max(self.grown_mb, taken[0] - first[0])
            self.descriptors = max(self.descriptors, taken[1] - first[1])
            if self.grown_mb > MOST_MB or self.descriptors > MOST_DESCRIPTORS:
                self.excess = f"grew by {self.grown_mb:.0f} MB, {self.descriptors} descriptors"
            if self.excess or now > until:
                self.process.kill()
                self.process.wait()
                return 1 if self.excess else 0
            time.sleep(0.25)
        return status

    def _taken(self) -> tuple[float, int]:
        proc = Path(f"/proc/{self.process.pid}")
        pages = int((proc / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(list((proc / "fd").iterdir()))


def _start(name: str, *command: str) -> Watched:
    log = FOLDER / f"{name}.log"
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "fuzz", "OMP_NUM_THREADS": "1"}
    environment["LIVEDUB_CACHE"] = str(FOLDER / "cache")
    environment["PYTHONPATH"] = str(ROOT)
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    return Watched(process, log)


def _run(name: str, seconds: float, *command: str) -> bool:
    """Whether nothing was found."""
    one = _start(name, *command)
    status = one.watch(seconds)
    text = one.log.read_text(errors="replace")
    runs = re.findall(r"(?:number_of_executed_units: |Done )(\d+)|(\d+) passed|(\d+%)\]", text)
    count = "".join(runs[-1]) if runs else "some"
    ok = status == 0
    told = "nothing" if ok else f"FAILED, status {status} {one.excess}"
    print(
        f"{name:12} {told:10} {count:>12} runs, {one.grown_mb:5.0f} MB and {one.descriptors} "
        f"descriptors more",
        flush=True,
    )
    if not ok:
        print(text[-4000:], f"\n{one.log}", flush=True)
    return ok


def _properties() -> list[str]:
    """Files of tests in another order each time, as a few minutes are not enough for all."""
    tests = (ROOT / "tests").rglob("test_*.py")
    held = [str(path) for path in tests if "@given" in path.read_text(encoding="utf-8")]
    random.shuffle(held)
    return held


def main() -> int:
    """Fuzz; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("doors", nargs="*", help=f"of {', '.join(DOORS)}, properties, api")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    names = given.doors or [*DOORS, "properties", "api"]
    share = 60 * given.minutes / (len(names) + 2 * ("properties" in names))
    ok = True
    for name in names:
        if name in DOORS:
            begun = _run(name, share, "-m", "tests.fuzz.one", name, str(share), str(FOLDER))
        elif name == "properties":
            chosen = ("-m", "hypothesis", "-p", "no:cacheprovider", *_properties())
            begun = _run(name, 3 * share, "-m", "pytest", "-x", "--timeout=0", *chosen)
        else:
            command = ("-m", "pytest", "-x", "--timeout=0", "tests/e2e/test_api_fuzz.py")
            begun = _run(name, share, *command)
        ok = ok and begun
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
