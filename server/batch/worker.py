"""A process that does tasks one after another: ``python -m server.batch.worker [--verbose]``.

It reads tasks from its standard input and writes what it has to say to its standard output, both
as JSON, a line each. It ends, whatever it is doing, when its standard input does: so none is left
over if the process that started it is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from typing import BinaryIO

from server.batch.tasks import ANSWERS, Done, Failed, Progress
from server.batch.work import answer
from server.engines.pool import EnginePool

ORPHANED = 3
"""Exit status of a process whose standard input ended in the middle of a task."""


async def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue[bytes]()
    working = threading.Event()

    def read() -> None:
        for line in requests:
            loop.call_soon_threadsafe(waiting.put_nowait, line)
        if working.is_set():
            os._exit(ORPHANED)
        loop.call_soon_threadsafe(waiting.put_nowait, b"")

    def say(what: Progress | Done | Failed) -> None:
        answers.write(ANSWERS.dump_json(what) + b"\n")
        answers.flush()

    threading.Thread(target=read, name="requests", daemon=True).start()
    pool = EnginePool()
    try:
        while line := await waiting.get():
            working.set()
            say(await answer(line, pool, say))
            working.clear()
    finally:
        await pool.aclose()


def _main() -> None:
    verbose = "--verbose" in sys.argv[1:]
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    asyncio.run(_serve(sys.stdin.buffer, answers))
    answers.flush()
    os._exit(0)  # a model that hangs in native code would hold up an orderly exit


if __name__ == "__main__":
    _main()
