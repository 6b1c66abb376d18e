"""A crew of a Ray cluster: each task of a batch is a task of Ray, which places it and retries it.

A task finds its files under the names that they have here: nodes share a file system. Ray keeps
the processes of finished tasks for the next ones, and with them the models that they have loaded.
"""

from __future__ import annotations

import asyncio
import functools
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ray
from ray.exceptions import RayError

from server.batch.crew import TaskFailed
from server.batch.tasks import ANSWERS, TASKS, Done, Failed, Progress, Task, Tell
from server.batch.turns import RankedTurns
from server.batch.work import answer
from server.cluster.application import connect
from server.engines.pool import EnginePool

RETRIES = 2
"""Further tries of a task whose process or node dies; it goes on from its journal."""


class RayCrew:
    """Does tasks on a cluster, each on a core.

    Args:
        address: of its head.
        most: at once; as many as the cluster has cores where it is ``None``.

    Raises:
        ClusterError: if it cannot be reached.
    """

    def __init__(self, address: str, most: int | None = None) -> None:
        connect(address)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self._turns = RankedTurns(most or max(1, int(resources.get("CPU", 1))))

    @property
    def spare(self) -> int:
        """See ``Crew``."""
        return self._turns.spare

    async def do(self, task: Callable[[], Awaitable[Task]], rank: int, tell: Tell) -> Done:
        """See ``Crew``."""
        async with self._turns.turn(rank):
            # With num_returns="streaming", which Ray's types do not know of.
            said: Any = _perform.remote(TASKS.dump_json(await task()))
            try:
                async for reference in said:
                    heard = ANSWERS.validate_json(await reference)
                    if isinstance(heard, Failed):
                        raise TaskFailed(heard.reason)
                    if not isinstance(heard, Progress):
                        return heard
                    tell(heard)
            except RayError as error:
                first = str(error).strip().partition("\n")[0]
                raise TaskFailed(f"the cluster gave it up: {first}") from None
            finally:
                ray.cancel(said, force=False)
        raise TaskFailed("the cluster gave no answer")

    async def aclose(self) -> None:
        """Leave the cluster."""
        await asyncio.to_thread(ray.shutdown)


@ray.remote(num_cpus=1, max_retries=RETRIES, num_returns="streaming")
def _perform(task: bytes) -> Iterator[bytes]:
    """Do a task and say how it goes; what it says is JSON, as `server.batch.tasks` has it."""
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    loop, pool = _home()
    asyncio.run_coroutine_threadsafe(_do(task, pool, heard.put), loop)
    while True:
        said = heard.get()
        yield ANSWERS.dump_json(said)
        if not isinstance(said, Progress):
            return


async def _do(task: bytes, pool: EnginePool, say: Callable[[Any], None]) -> None:
    say(await answer(task, pool, say))


@functools.cache
def _home() -> tuple[asyncio.AbstractEventLoop, EnginePool]:
    """The loop of this process, in a thread of its own, and the engines that stay loaded."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="batch", daemon=True).start()
    return loop, EnginePool()
