"""Another project's recogniser in a process of its own, fed at real pace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers.wire import BLOCK, RATE
from stream.frames import Samples

TAIL = 2.0
"""Seconds of silence after the clip: recognisers commit the last words upon a pause."""
_ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Commit:
    """Text that will not change any more; seconds.

    Attributes:
        text: a piece of the transcript.
        start: when it was said, as far as the recogniser tells.
        end: likewise.
    """

    text: str
    start: float
    end: float


class Recogniser:
    """One run of a module of this folder.

    Args:
        module: its name.
        python: of the environment that the project is installed in.
        model: folder of the Whisper model.
        beam: hypotheses kept, for those that let one choose.
        threads: of the model; four, however few the cores, if nobody says.
        log: takes what the project prints.

    Attributes:
        began: when feeding began, `time.monotonic`.
        spent: processor seconds that this process had used by then.
        cpu_s: those that the recogniser's processes have used since then; known at the end.
        rss_mb: their peak memory, each one's by itself added up; known at the end.
    """

    def __init__(
        self, module: str, python: Path, model: Path, *, beam: int, threads: int, log: Path
    ) -> None:
        self._command = str(python), "-m", f"benchmarks.peers.{module}", str(model), str(beam)
        self._threads, self._log = str(threads), log
        self.began = self.spent = self.cpu_s = self.rss_mb = 0.0

    async def hear(self, sound: Samples) -> AsyncIterator[Commit]:
        """What it hears, as it comes.

        Raises:
            RuntimeError: if it ends before its time.
        """
        with self._log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=_ROOT,
                start_new_session=True,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": self._threads},
            )
        assert process.stdin and process.stdout
        feeding: asyncio.Task[None] | None = None
        loading = 0.0
        try:
            async for line in process.stdout:
                answer = json.loads(line)
                if "ready" in answer:
                    loading, self.spent = _used(process.pid)[0], time.process_time()
                    self.began = time.monotonic()
                    feeding = asyncio.create_task(_feed(process.stdin, sound, self.began))
                elif "text" in answer:
                    yield Commit(**answer)
                else:
                    cpu, self.rss_mb = _used(process.pid)
                    self.cpu_s = cpu - loading
                    return
            raise RuntimeError(f"{self._command[2]} ended early, see {self._log}")
        finally:
            if feeding is not None:
                feeding.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _feed(line: asyncio.StreamWriter, sound: Samples, began: float) -> None:
    silent = np.pad(sound, (0, round(TAIL * RATE)))
    data = (np.clip(silent, -1, 1) * 32767).astype("<i2").tobytes()
    for at in range(0, len(data), BLOCK):
        # A block is there when its last sample has been said.
        said = (at + BLOCK) / 2 / RATE
        await asyncio.sleep(max(0.0, began + said - time.monotonic()))
        line.write(data[at : at + BLOCK])
        await line.drain()
    line.close()


def _used(session: int) -> tuple[float, float]:
    """Processor seconds and peak memory, MB, of a session's processes; Linux only."""
    cpu = memory = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            status = (folder / "status").read_text()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session and "VmHWM" in status:
            cpu += sum(map(int, fields[11:15])) / _TICKS  # its own, and of children that ended
            memory += int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return cpu, memory
