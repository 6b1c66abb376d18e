"""Worker processes on this machine, each with engines of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable

from server.batch.crew import TaskFailed
from server.batch.tasks import ANSWERS, TASKS, Done, Failed, Progress, Task, Tell
from server.batch.turns import RankedTurns

ANSWER_BYTES = 16 << 20
"""Of one answer, at most."""

GRACE_S = 5.0
"""For a worker without a task to end by itself."""

LAST_LINES = 5
"""Kept of what a worker writes to its standard error, as the reason if it dies."""


class Workers:
    """Does tasks by processes, so many at once, those of the lowest rank first.

    A process is started when it is first needed. One that dies costs its task, and the next task
    gets another.

    Args:
        most: processes.
        verbose: whether they log what happens inside.
    """

    def __init__(self, most: int, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._idle: list[_Process] = []
        self._turns = RankedTurns(most)

    @property
    def spare(self) -> int:
        """See ``Crew``."""
        return self._turns.spare

    async def do(self, task: Callable[[], Awaitable[Task]], rank: int, tell: Tell) -> Done:
        """See ``Crew``."""
        async with self._turns.turn(rank):
            process = self._idle.pop() if self._idle else _Process(self._verbose)
            try:
                answer = await process.do(await task(), tell)
            except BaseException:
                await process.end(at_once=True)
                raise
            self._idle.append(process)
        if isinstance(answer, Failed):
            raise TaskFailed(answer.reason)
        return answer

    async def aclose(self) -> None:
        """End the processes."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(process.end() for process in idle))


class _Process:
    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last_words: deque[str] = deque(maxlen=LAST_LINES)

    async def do(self, task: Task, tell: Tell) -> Done | Failed:
        process = await self._started()
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(ConnectionError):  # it has died: that is found out below
            process.stdin.write(TASKS.dump_json(task) + b"\n")
            await process.stdin.drain()
        while line := await process.stdout.readline():
            answer = ANSWERS.validate_json(line)
            if not isinstance(answer, Progress):
                return answer
            tell(answer)
        status = await process.wait()
        if self._reading is not None:
            await self._reading
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        said = f": {self._last_words[-1]}" if self._last_words else ""
        out_of_memory = "; there may have been too little memory, see --jobs" * (status == -9)
        raise TaskFailed(f"its process died ({how}){said}{out_of_memory}")

    async def end(self, *, at_once: bool = False) -> None:
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(0 if at_once else GRACE_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reading is not None:
            await self._reading

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            path = os.pathsep.join(one for one in sys.path if one)
            command = [sys.executable, "-m", "server.batch.worker"]
            self._process = await asyncio.create_subprocess_exec(
                *command,
                *(["--verbose"] if self._verbose else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
                limit=ANSWER_BYTES,
                start_new_session=True,  # Ctrl-C is for the process that the terminal knows
            )
            self._reading = asyncio.create_task(self._listen(self._process))
        return self._process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            said = line.decode(errors="replace").rstrip()
            if said:
                self._last_words.append(said)
            if self._verbose:
                sys.stderr.write(f"{said}\n")
