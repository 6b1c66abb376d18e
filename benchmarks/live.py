"""The daemon under load: ``python benchmarks/live.py WHAT [--engine NAME] [--seconds S]``.

    sessions    how many sessions at once keep their dubs on time
    latency     from publisher to listener, by WebSocket, against the configured delay
    cpu         a waiting, a silent and a speaking session
    honest      one session: processor time with all its processes, and when its first dub is heard
    listeners   a hundred WebSocket listeners on one session
    soak        memory and on-time rate over time (give --seconds 3600)

Each measurement starts a daemon of its own and publishes the demo clip to it by RTMP, in a loop,
with FFmpeg on the same machine. ``--tree FOLDER`` measures the code of another checkout, ``--set
KEY=VALUE`` a setting: what the doors cost is ``honest --engine espeak`` here and in a checkout of
1f5162c^, from before they held, or here with ``--set serve.reader=thread``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from demo_clip import make_clip
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

console = Console()

TREE = Path(__file__).parents[1]
"""The code that is measured."""

SETTINGS: list[str] = []
"""Further ones, for every daemon."""


@dataclass
class Daemon:
    """A daemon process and where it answers."""

    process: asyncio.subprocess.Process
    url: str
    rtmp: str
    logged: int = 0
    """Bytes that it has written to its log since it started."""

    def cpu(self) -> float:
        """Processor seconds so far, of its own processes too while they run and once they ended."""
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                if path.parent.name == str(self.process.pid):
                    ticks += sum(map(int, fields[11:15]))
                elif fields[1] == str(self.process.pid):
                    ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident megabytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    async def session(self, id_: str) -> dict[str, Any]:
        """What the daemon tells about a session."""
        async with httpx.AsyncClient() as client:
            shown: dict[str, Any] = (await client.get(f"{self.url}/sessions/{id_}")).json()
        return shown


@contextlib.asynccontextmanager
async def daemon(
    engine: str,
    sessions: int,
    delay: float = 6.0,
    bound: tuple[str, ...] = (),
    *,
    hls: bool = False,
) -> AsyncIterator[Daemon]:
    """Serve ``sessions`` sessions, named and keyed ``session-0`` and so on.

    ``bound`` is a command that runs it within bounds, such as ``taskset --cpu-list 0``.
    """
    specs = [{"id": f"session-{i}", "key": f"session-{i}", "hls": hls} for i in range(sessions)]
    settings = (
        f"tts.engine={engine}", f"playout.delay={delay}", "serve.port=0", "serve.rtmp_port=0",
        "serve.max_sessions=64", f"serve.sessions={json.dumps(specs)}",
    )  # fmt: skip
    sets = [part for setting in (*settings, *SETTINGS) for part in ("--set", setting)]
    process = await asyncio.create_subprocess_exec(
        *bound, sys.executable, "-u", "-m", "server.cli", "serve", *sets,
        stderr=asyncio.subprocess.PIPE, cwd=TREE, env={**os.environ, "PYTHONPATH": str(TREE)},
    )  # fmt: skip
    assert process.stderr is not None
    said = ""
    while not (ports := re.search(r"(http://\S+)\n.*rtmp://\S+?:(\d+)/", said, re.S)):
        line = await process.stderr.readline()
        if not line:
            raise SystemExit(f"the daemon did not start: {said}")
        said += line.decode()
    made = Daemon(process, ports[1].rstrip("/"), f"rtmp://127.0.0.1:{ports[2]}/live")
    reading = asyncio.create_task(_drain(process.stderr, made))
    try:
        for spec in specs:
            await _until_loaded(made, str(spec["id"]))
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()
        await reading


async def _until_loaded(served: Daemon, id_: str) -> None:
    while (await served.session(id_))["state"] == "starting":  # noqa: ASYNC110
        await asyncio.sleep(0.5)


async def _drain(stream: asyncio.StreamReader, served: Daemon) -> None:
    while said := await stream.read(65536):
        served.logged += len(said)


@contextlib.asynccontextmanager
async def published(daemon_: Daemon, key: str, *source: str) -> AsyncIterator[float]:
    """Publish in a loop; yields the wall time at which it began."""
    began = time.time()
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", "-re", *source, "-c:v", "copy", "-c:a", "aac", "-f", "flv",
        f"{daemon_.rtmp}/{key}", stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield began
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def looped(clip: Path) -> tuple[str, ...]:
    """FFmpeg's arguments for a clip over and over."""
    return ("-stream_loop", "-1", "-i", str(clip))


async def sessions(engine: str, clip: Path, seconds: float) -> None:
    """One session more at a time, until less than 95 % of the dubs are on time."""
    table = Table(title=f"sessions at once, {engine}, delay 6 s, {seconds:.0f} s each")
    for column in ("sessions", "on time", "worst session", "CPU cores", "memory, MB"):
        table.add_column(column, justify="right")
    for count in range(1, 33):
        async with daemon(engine, count) as served, contextlib.AsyncExitStack() as stack:
            for i in range(count):
                await stack.enter_async_context(published(served, f"session-{i}", *looped(clip)))
            cpu, began = served.cpu(), time.monotonic()
            await asyncio.sleep(seconds)
            cores = (served.cpu() - cpu) / (time.monotonic() - began)
            shown = [await served.session(f"session-{i}") for i in range(count)]
            memory = served.memory()
        rates = [s["dubs"]["pt"]["on_time_rate"] or 0.0 for s in shown]
        mean, worst = statistics.mean(rates), min(rates)
        table.add_row(str(count), f"{mean:.3f}", f"{worst:.3f}", f"{cores:.2f}", f"{memory:.0f}")
        if mean < 0.95:
            break
    console.print(table)


async def latency(engine: str, clip: Path, seconds: float) -> None:
    """When a viewer hears media time t, less when FFmpeg sent it."""
    table = Table(title=f"from publisher to listener, {engine}")
    for column in ("delay, s", "median, s", "p95, s", "on time"):
        table.add_column(column, justify="right")
    for delay in (4.0, 6.0, 8.0):
        source = looped(clip)
        async with (
            daemon(engine, 1, delay) as served,
            published(served, "session-0", *source) as began,
        ):
            lags = await _lags(served, began, seconds)
            shown = await served.session("session-0")
        rate = shown["dubs"]["pt"]["on_time_rate"]
        cells = (np.median(lags), np.percentile(lags, 95))
        shown_rate = "-" if rate is None else f"{rate:.3f}"
        table.add_row(f"{delay:.0f}", *(f"{cell:.2f}" for cell in cells), shown_rate)
    console.print(table)
    console.print("FFmpeg's start and the source's first packet are in it, some 0.1 to 0.3 s.")


async def _lags(served: Daemon, began: float, seconds: float) -> list[float]:
    lags: list[float] = []
    url = f"{served.url.replace('http', 'ws')}/sessions/session-0/listen"
    async with connect(f"{url}?events=false&channels=1&rate=16000") as socket:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for message in socket:
                    if isinstance(message, bytes):
                        media = int.from_bytes(message[8:16], "little", signed=True)
                        lags.append(time.time() - began - media / 48_000)
    return lags


async def cpu(engine: str, clip: Path, seconds: float) -> None:
    """Processor seconds a second of one session."""
    table = Table(title=f"one session, {engine}")
    for column in ("session", "CPU cores", "memory, MB"):
        table.add_column(column, justify="right")
    silent = ("-f", "lavfi", "-i", "anullsrc", "-i", str(clip), "-map", "1:v", "-map", "0:a")
    cases: tuple[tuple[str, tuple[str, ...] | None], ...] = (
        ("waiting for a publisher", None),
        ("silent", (*silent, "-shortest")),
        ("speaking", looped(clip)),
    )
    for name, source in cases:
        async with daemon(engine, 1) as served, contextlib.AsyncExitStack() as stack:
            if source is not None:
                await stack.enter_async_context(published(served, "session-0", *source))
                await asyncio.sleep(8)
            before, began = served.cpu(), time.monotonic()
            await asyncio.sleep(min(seconds, 40))
            cores = (served.cpu() - before) / (time.monotonic() - began)
            table.add_row(name, f"{cores:.2f}", f"{served.memory():.0f}")
    console.print(table)


async def honest(engine: str, clip: Path, seconds: float) -> None:
    """Processor time and the first dub of one ordinary session at 4 s, with its start."""
    table = Table(title=f"one session at 4 s, {engine}")
    for column in ("first dub, s", "CPU s with its start", "CPU cores after it", "on time"):
        table.add_column(column, justify="right")
    for _ in range(3):
        async with daemon(engine, 1, delay=4.0) as served:
            url = f"{served.url.replace('http', 'ws')}/sessions/session-0/listen?format=none"
            before = served.cpu()
            async with (
                connect(url) as socket,
                published(served, "session-0", *looped(clip)) as began,
            ):
                try:
                    async with asyncio.timeout(60):
                        async for message in socket:
                            if json.loads(message).get("fate") in ("on_time", "late"):
                                break
                except TimeoutError:
                    raise SystemExit(
                        "no dub was heard in a minute: the machine is too busy"
                    ) from None
                first, started = time.time() - began, served.cpu() - before
                since, then = served.cpu(), time.monotonic()
                await asyncio.sleep(seconds)
                cores = (served.cpu() - since) / (time.monotonic() - then)
                rate = (await served.session("session-0"))["dubs"]["pt"]["on_time_rate"]
            table.add_row(f"{first:.2f}", f"{started:.2f}", f"{cores:.3f}", f"{rate:.3f}")
    console.print(table)


async def listeners(engine: str, clip: Path, seconds: float) -> None:
    """What a hundred listeners cost, and whether they get everything."""
    table = Table(title=f"WebSocket listeners on one session, {engine}")
    for column in ("listeners", "format", "CPU cores", "frames missed", "memory, MB", "on time"):
        table.add_column(column, justify="right")
    for count, format_ in ((1, "opus"), (100, "opus"), (100, "pcm_s16le")):
        async with daemon(engine, 1) as served, contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(published(served, "session-0", *looped(clip)))
            await asyncio.sleep(8)
            url = f"{served.url.replace('http', 'ws')}/sessions/session-0/listen?format={format_}"
            before, began = served.cpu(), time.monotonic()
            missed = await asyncio.gather(*(_missed(url, seconds) for _ in range(count)))
            cores = (served.cpu() - before) / (time.monotonic() - began)
            rate = (await served.session("session-0"))["dubs"]["pt"]["on_time_rate"]
            cells = (f"{cores:.2f}", str(sum(missed)), f"{served.memory():.0f}", f"{rate:.3f}")
            table.add_row(str(count), format_, *cells)
    console.print(table)


async def _missed(url: str, seconds: float) -> int:
    missed, last = 0, None
    async with connect(url) as socket:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for message in socket:
                    if isinstance(message, bytes):
                        now = int.from_bytes(message[8:16], "little", signed=True)
                        missed += 0 if last is None else (now - last) // 960 - 1
                        last = now
    return missed


async def soak(engine: str, clip: Path, seconds: float) -> None:
    """Twenty looks over the whole time."""
    table = Table(title=f"{seconds / 60:.0f} min, {engine}")
    columns = ("min", "memory, MB", "on time so far", "late", "dropped", "failed", "delay, s")
    for column in columns:
        table.add_column(column, justify="right")
    async with daemon(engine, 1) as served, published(served, "session-0", *looped(clip)):
        began = time.monotonic()
        for look in range(1, 21):
            await asyncio.sleep(max(0.0, began + look * seconds / 20 - time.monotonic()))
            shown = await served.session("session-0")
            dubs = shown["dubs"]["pt"]
            rate = dubs["on_time_rate"]
            row = (
                f"{(time.monotonic() - began) / 60:.1f}", f"{served.memory():.0f}",
                "-" if rate is None else f"{rate:.3f}",
                *(str(dubs[fate]) for fate in ("late", "dropped", "failed")),
                f"{shown['delay_s']:.2f}",
            )  # fmt: skip
            console.print(" ".join(f"{c} {v};" for c, v in zip(columns, row, strict=True)))
            table.add_row(*row)
    console.print(table)


MEASUREMENTS = {f.__name__: f for f in (sessions, latency, cpu, honest, listeners, soak)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=MEASUREMENTS)
    parser.add_argument("--engine", default="kokoro")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--tree", type=Path, default=TREE)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    globals()["TREE"] = options.tree.resolve()
    SETTINGS.extend(options.set)
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", size="640x360").path
        asyncio.run(MEASUREMENTS[options.what](options.engine, clip, options.seconds))


if __name__ == "__main__":
    main()
