"""More speech than a machine can dub: ``python benchmarks/overload.py [--engine E]``.

A daemon limited to one core dubs a monologue without pauses in one session, then in two or more,
then in the first alone again. Prints, for each phase of the first session: what became of its dubs,
how many captions arrived in both languages, gaps in what a listener received, and seconds of sound
per second.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from live import Daemon, console, daemon, looped, published
from rich.table import Table
from websockets.asyncio.client import connect

FATES = ("on_time", "late", "dropped", "failed")
COUNTED = (*FATES, "transcripts", "translations", "gaps")


async def run(engine: str, clip: Path, seconds: float, delay: float, most: int) -> None:
    """Measure and print."""
    table = Table(
        title=f"a monologue on one core, {engine}, delay {delay:g} s, {seconds:.0f} s each"
    )
    for column in ("sessions", *COUNTED, "sound", "CPU cores"):
        table.add_column(column, justify="right")
    source = looped(clip)
    async with (
        daemon(engine, most, delay, ("taskset", "--cpu-list", "0")) as served,
        published(served, "session-0", *source),
    ):
        counts: collections.Counter[str] = collections.Counter()
        counting = asyncio.create_task(_count(served, counts))
        await asyncio.sleep(2 * delay)
        for sessions in (1, most, 1, 1):
            before, began, cpu = counts.copy(), time.monotonic(), served.cpu()
            async with contextlib.AsyncExitStack() as stack:
                for other in range(1, sessions):
                    await stack.enter_async_context(published(served, f"session-{other}", *source))
                await asyncio.sleep(seconds)
            took = time.monotonic() - began
            sound = (counts["frames"] - before["frames"]) / 50 / took
            row = (
                *(str(counts[name] - before[name]) for name in COUNTED),
                f"{sound:.3f}", f"{(served.cpu() - cpu) / took:.2f}",
            )  # fmt: skip
            table.add_row(str(sessions), *row)
            console.print(sessions, *row)
        counting.cancel()
        await asyncio.wait({counting})
    console.print(table)


async def _count(served: Daemon, counts: collections.Counter[str]) -> None:
    """Count what a listener to the first session is told and sent."""
    url = f"{served.url.replace('http', 'ws')}/sessions/session-0/listen?format=opus"
    async with connect(url) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                counts["frames"] += 1
                continue
            told = json.loads(message)
            if told["type"] == "gap":
                counts["gaps"] += 1
            elif told["type"] == "event" and told["kind"] == "fate":
                counts[told["fate"]] += 1
            elif told["type"] == "event":
                counts[f"{told['kind']}s"] += 1


def main() -> None:
    """Make the clip, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="kokoro")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--delay", type=float, default=6.0)
    parser.add_argument("--sessions", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = [sys.executable, "-m", "benchmarks.demo_set", folder, "--only", "monologue"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        clip = Path(folder) / "monologue.mp4"
        asyncio.run(run(options.engine, clip, options.seconds, options.delay, options.sessions))


if __name__ == "__main__":
    main()
