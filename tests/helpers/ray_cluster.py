"""A real Ray cluster of two nodes on this machine, and ways to kill parts of it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
from pathlib import Path
from typing import Any

from server.cli import main

ROOT = Path(__file__).parents[2]


class RayCluster:
    """A head and another node, a CPU each.

    Args:
        mark: file in which engines note that they were cancelled.
    """

    def __init__(self, mark: Path) -> None:
        self.mark = mark
        self._environment = {
            "PYTHONPATH": str(ROOT),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Each process would compile what it imports, and have a thread for each core.
            "OMP_NUM_THREADS": "1",
            "LIVEDUB_TEST_CANCELLED": str(mark),
        }
        self.address = ""

    def __enter__(self) -> RayCluster:
        before = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        from ray.cluster_utils import Cluster

        each = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20}
        for patience in (True, True, False):
            # Ray gives a node 30 s to start, which other tests on the same cores may take.
            self._cluster = Cluster()
            try:
                self._cluster.add_node(**each)
                self._node = self._cluster.add_node(**each)
                break
            except Exception:
                self._cluster.shutdown()
                if not patience:
                    raise
        self.address = self._cluster.address
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        return self

    def __exit__(self, *error: object) -> None:
        import ray

        ray.shutdown()
        self._cluster.shutdown()

    def run(self, action: str, *settings: str) -> Any:
        """What ``livedub cluster`` says, as it says it in JSON."""
        said = io.StringIO()
        given = [word for setting in settings for word in ("--set", setting)]
        as_json = [] if action == "down" else ["--json"]
        with contextlib.redirect_stdout(said):
            main(["cluster", action, *as_json, *given])
        return json.loads(said.getvalue()) if as_json else said.getvalue()

    def kill_controller(self) -> None:
        """Kill what looks after Serve's replicas; it runs on the head."""
        (controller,) = [
            pid for pid in _children(_raylet(self._cluster.head_node)) if _is(pid, "ServeContr")
        ]
        os.kill(controller, signal.SIGKILL)

    def kill_node(self) -> None:
        """Kill the node that is not the head, with all that runs there."""
        raylet = _raylet(self._node)
        for pid in [raylet, *_children(raylet)]:
            os.kill(pid, signal.SIGKILL)

    async def marked(self, beginning: str) -> None:
        """Wait until a call of a text that begins so was cancelled."""
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(OSError):
                    if self.mark.read_text().startswith(beginning):
                        return
                await asyncio.sleep(0.05)


def _raylet(node: Any) -> int:
    pid: int = node.all_processes["raylet"][0].process.pid
    return pid


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for one in found for child in one.read_text().split()]


def _is(pid: int, name: str) -> bool:
    with contextlib.suppress(OSError):
        return name in Path(f"/proc/{pid}/cmdline").read_text()
    return False
