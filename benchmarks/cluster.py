"""Models on Ray: ``python -m benchmarks.cluster WHAT [--seconds S]``; needs the extra ``cluster``.

    calls       what a call costs more than in this process, by kind: 50th and 95th percentile
    deadlines   sixteen sessions at one model that sleeps: by deadline and by arrival
    kills       kill -9 of a replica, Serve's controller, a node and the head, while calls go on

Each starts a head and another node on this machine, and engines that sleep: what is measured is the
way to them. A live session with all models there is measured by `benchmarks/live.py`, whose daemon
takes ``--set cluster.address=HOST:PORT`` after ``livedub cluster up``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from server.cluster.models import ClusterModels
from server.commands.cluster import recipes
from server.config import Config, load
from server.engines.pool import EnginePool
from stream.clock.due import DUE

ENGINES = "benchmarks.sleeping_engines"
KINDS = {"asr": "Recogniser", "mt": "Translator", "tts": "Synthesiser", "speakers": "Encoder"}
SESSIONS = 16
PORT = 6399

console = Console()


class Nodes:
    """A head and another node, with two CPUs each."""

    def __init__(self, service_s: float) -> None:
        os.environ |= {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "RAY_USAGE_STATS_ENABLED": "0",
            "SERVICE_S": str(service_s),
        }
        self.start()

    def start(self) -> None:
        """Start both, at the same address as before."""
        from ray.cluster_utils import Cluster

        each = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80 << 20}
        # Ray's own end at exit wants the main thread, which a head that starts again does not have.
        self.cluster = Cluster(shutdown_at_exit=False)
        self.cluster.add_node(**each, gcs_server_port=PORT)
        self.node = self.cluster.add_node(**each)

    def add(self) -> None:
        """Another node in place of one that was killed."""
        self.node = self.cluster.add_node(num_cpus=2, object_store_memory=80 << 20)

    def stop(self) -> None:
        """End all."""
        import ray

        ray.shutdown()
        self.cluster.shutdown()


def pids(node: Any, name: str = "") -> list[int]:
    """Processes of a node's raylet, and its own; or those with a name."""
    raylet = node.all_processes["raylet"][0].process.pid
    found = Path(f"/proc/{raylet}/task").glob("*/children")
    workers = [int(pid) for one in found for pid in one.read_text().split()]
    if not name:
        return [raylet, *workers]
    return [pid for pid in workers if name in Path(f"/proc/{pid}/cmdline").read_text()]


def kill(numbers: list[int]) -> None:
    """As ``kill -9`` does."""
    for pid in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def configured(*settings: str) -> Config:
    """All kinds on the cluster, by engines that sleep."""
    engines = [f"{kind}.engine={ENGINES}:{name}" for kind, name in KINDS.items()]
    return load(assignments=[*engines, *settings], environment={}, cluster=True)


def there(**replicas: int) -> list[str]:
    """Settings of a cluster with so many replicas."""
    each = [
        f"cluster.{kind}={{replicas: {replicas[kind]}, num_cpus: 0.3}}"
        if kind in replicas
        else f"cluster.{kind}=null"
        for kind in KINDS
    ]
    return [f"cluster.address=127.0.0.1:{PORT}", *each]


def up(nodes: Nodes, config: Config) -> Config:
    """Bring the models there."""
    from server.cluster.application import connect, deploy

    address = nodes.cluster.address
    at = config.cluster.model_copy(update={"address": address})
    config = config.model_copy(update={"cluster": at})
    connect(address)
    deploy(at, recipes(config))
    return config


@contextlib.asynccontextmanager
async def pooled(config: Config) -> AsyncIterator[tuple[EnginePool, ClusterModels | None]]:
    """A pool as a daemon has it."""
    models = ClusterModels(config) if config.cluster.kinds else None
    if models is not None:
        models.start()
    pool = EnginePool(elsewhere=models)
    try:
        yield pool, models
    finally:
        await pool.aclose()
        if models is not None:
            await models.aclose()


async def speak(synthesiser: Any, text: str) -> float:
    """Seconds until the first piece; all are taken."""
    began, first = time.perf_counter(), 0.0
    async for _ in synthesiser.synthesise(text):
        first = first or time.perf_counter() - began
    return first


async def call(pool: EnginePool, config: Config, kind: str, owner: str = "one") -> Any:
    """One call of an engine of the pool; of a synthesiser, seconds until its first piece."""
    served = await pool.engine(kind, config, owner)
    async with served.use(owner) as engine:
        if kind == "asr":
            return await engine.recognise(SPEECH)
        if kind == "mt":
            return await engine.translate("Please keep your bags with you at all times.")
        if kind == "speakers":
            return await engine.embed(SPEECH)
        return await speak(engine, "Please keep your bags with you at all times.")


SPEECH = np.random.default_rng(0).normal(0, 0.1, 6 * 16_000).astype(np.float32)


async def _times(config: Config, count: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    async with pooled(config) as (pool, _):
        for kind in KINDS:
            for number in range(count + 5):
                began = time.perf_counter()
                first = await call(pool, config, kind)
                if number < 5:
                    continue
                times.setdefault(kind, []).append(time.perf_counter() - began)
                if kind == "tts":
                    times.setdefault("tts, first piece", []).append(first)
    return times


def calls(seconds: float) -> None:
    """What a call costs more than here."""
    with running(0.02) as nodes:
        remote = up(nodes, configured(*there(asr=1, mt=1, tts=1, speakers=1)))
        count = max(int(seconds), 50)
        here = asyncio.run(_times(configured(), count))
        elsewhere = asyncio.run(_times(remote, count))
    table = Table("call", "here p50, ms", "p95", "there p50, ms", "p95", "more p50", "p95")
    for kind in here:
        figures = [np.percentile(one[kind], (50, 95)) * 1e3 for one in (here, elsewhere)]
        row = [*figures[0], *figures[1], *(figures[1] - figures[0])]
        table.add_row(kind, *(f"{figure:.1f}" for figure in row))
    console.print(table)


async def _session(
    pool: EnginePool, config: Config, number: int, seconds: float, by_deadline: bool
) -> tuple[int, int]:
    """Utterances of one session, and how many were translated in time."""
    clock, chance = asyncio.get_running_loop().time, random.Random(number)
    served = await pool.engine("mt", config, f"session {number}")
    slack = 0.5 + 0.25 * (number % 8)  # delays differ
    until, tasks = clock() + seconds, []

    async def once(due: float) -> bool:
        if by_deadline:
            DUE.set(due)
        try:
            async with served.use(f"session {number}") as engine:
                await engine.translate("x" * 40)
        except Exception:
            return False
        return clock() <= due

    while clock() < until:
        tasks.append(asyncio.create_task(once(clock() + slack)))
        await asyncio.sleep(
            chance.uniform(0.5, 1.5) * (4 if number else 1)
        )  # the first asks for more
    done = await asyncio.gather(*tasks)
    return sum(done), len(done)


async def _sessions(config: Config, seconds: float, by_deadline: bool) -> list[tuple[int, int]]:
    async with pooled(config) as (pool, _):
        await call(pool, config, "mt")
        each = [_session(pool, config, n, seconds, by_deadline) for n in range(SESSIONS)]
        return await asyncio.gather(*each)


def deadlines(seconds: float) -> None:
    """Sixteen sessions, by deadline and by arrival, below and above what one replica can do."""
    table = Table("load", "order", "on time", "worst session", "the one that asks for most")
    rate = 1 + (SESSIONS - 1) / 4  # calls a second
    for load_ in (0.9, 1.1, 1.4):
        with running(load_ / rate) as nodes:
            settings = [*there(mt=1), "cluster.mt={num_cpus: 0.3, max_ongoing_requests: 500}"]
            config = up(nodes, configured(*settings, "playout.max_late=0.01"))
            for by_deadline in (True, False):
                done = asyncio.run(_sessions(config, seconds, by_deadline))
                shares = [good / count for good, count in done]
                total = sum(good for good, _ in done) / sum(count for _, count in done)
                table.add_row(
                    f"{load_:.1f}",
                    "deadline" if by_deadline else "arrival",
                    f"{total:.3f}",
                    f"{min(shares[1:]):.3f}",
                    f"{shares[0]:.3f}",
                )
    console.print(table)


async def _while_killing(
    pool: EnginePool, models: ClusterModels, config: Config, act: Callable[[], Awaitable[None]]
) -> tuple[int, int, float, float | None]:
    """Calls, those that were lost, the longest (s), and until all replicas are there again (s)."""
    whole = {one.kind: one.replicas for one in models.standing}
    made = lost = 0
    longest = 0.0
    tasks: list[asyncio.Task[bool]] = []

    async def once() -> bool:
        nonlocal longest
        began = time.perf_counter()
        DUE.set(asyncio.get_running_loop().time() + 2.5)
        try:
            async with asyncio.timeout(4.0):
                await call(pool, config, "mt")
        except Exception:
            return False
        finally:
            longest = max(longest, time.perf_counter() - began)
        return True

    acting: asyncio.Future[None] | None = None
    began = killed = time.perf_counter()
    back: float | None = None
    fewer = False
    while time.perf_counter() - began < 150 and back is None:
        tasks.append(asyncio.create_task(once()))
        await asyncio.sleep(0.05)
        if acting is None and time.perf_counter() - began > 2:
            killed = time.perf_counter()
            acting = asyncio.ensure_future(act())
        now = {one.kind: one.replicas for one in models.standing}
        quiet = time.perf_counter() - killed
        fewer |= now != whole
        if acting is not None and acting.done() and now == whole and (fewer or quiet > 10):
            back = quiet if fewer else 0.0
    for task in tasks:
        made, lost = made + 1, lost + (not await task)
    return made, lost, longest, back


async def _kills(nodes: Nodes, config: Config, seconds: float) -> None:
    table = Table("killed", "calls", "lost", "longest, s", "all replicas again after, s")

    async def replica() -> None:
        heard = [pid for node in (nodes.cluster.head_node, nodes.node) for pid in pids(node, "mt")]
        kill(heard[:1])

    async def controller() -> None:
        kill(pids(nodes.cluster.head_node, "ServeContr"))

    async def node() -> None:
        kill(pids(nodes.node))
        await asyncio.to_thread(nodes.add)

    async def head() -> None:
        gcs = nodes.cluster.head_node.all_processes["gcs_server"][0].process.pid
        kill([gcs, *pids(nodes.cluster.head_node), *pids(nodes.node)])
        await asyncio.to_thread(nodes.stop)
        await asyncio.to_thread(nodes.start)
        await asyncio.to_thread(up, nodes, config)

    async with pooled(config) as (pool, models):
        assert models is not None
        await pool.engine("mt", config, "one")  # it waits until the replicas are heard of
        await asyncio.sleep(5)
        for act in (replica, controller, node, head):
            made, lost, longest, back = await _while_killing(pool, models, config, act)
            shown = "not within 150" if back is None else f"{back:.1f}"
            table.add_row(act.__name__, str(made), str(lost), f"{longest:.2f}", shown)
            console.print(table)


def kills(seconds: float) -> None:
    """What is lost when parts are killed."""
    with running(0.05) as nodes:
        config = up(nodes, configured(*there(mt=4)))
        asyncio.run(_kills(nodes, config, seconds))


@contextlib.contextmanager
def running(service_s: float) -> Iterator[Nodes]:
    """Two nodes whose engines take so long."""
    nodes = Nodes(service_s)
    try:
        yield nodes
    finally:
        nodes.stop()


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser(description=__doc__)
    measures = {"calls": calls, "deadlines": deadlines, "kills": kills}
    parser.add_argument("what", choices=measures)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    measures[options.what](options.seconds)


if __name__ == "__main__":
    main()
