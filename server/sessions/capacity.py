"""How many live sessions this machine carries, measured on those that it has."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

EVERY_S = 10.0
WINDOW_S = 60.0
"""Seconds over which the processor's time is averaged: speech comes and goes."""

ROOM = 0.85
"""Share of the processor up to which dubs are on time; beyond it they wait for each other."""

LIMIT = 0.95
"""Share from which on there is nothing left."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment: loop time (s), processor time so far (s), and how many sessions were live."""

    time: float
    cpu: float
    live: int


class Capacity:
    """What a session costs, from the whole process's processor time while their number stays.

    Args:
        cores: that the process may use.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._samples: deque[Sample] = deque()
        self._told: int | None = None
        self.exceeded = False
        """Whether there is more to do than the machine can."""
        self.carried: int | None = None
        """About how many sessions like the live ones fit; ``None`` until that is known."""

    def note(self, sample: Sample) -> str | None:
        """Take a sample; a sentence when there is something new to say."""
        if self._samples and self._samples[-1].live != sample.live:
            self._samples.clear()
        self._samples.append(sample)
        first = self._samples[0]
        if not sample.live or sample.time - first.time < WINDOW_S:
            return None
        while sample.time - self._samples[1].time >= WINDOW_S:
            self._samples.popleft()
        used = (sample.cpu - first.cpu) / (sample.time - first.time)
        self.carried = int(ROOM * self._cores * sample.live / used) if used else None
        return self._sentence(used, sample.live)

    def _sentence(self, used: float, live: int) -> str | None:
        sessions = "1 session takes" if live == 1 else f"{live} sessions take"
        cost = f"{sessions} {used:.1f} of {self._cores} cores"
        if used > LIMIT * self._cores:
            if self.exceeded:
                return None
            self.exceeded = True
            return (
                f"{cost}, which is all there is: dubs will be late or left out; end a session, or "
                "choose a lighter voice or model"
            )
        self.exceeded = False
        if self.carried is None or self.carried == self._told:
            return None
        self._told = self.carried
        return f"{cost}: this machine carries about {self.carried} of this kind"


async def watch(capacity: Capacity, live: Callable[[], int]) -> None:
    """Measure until cancelled, and log what there is to say.

    Args:
        capacity: to be kept up to date.
        live: how many sessions are live.
    """
    loop = asyncio.get_running_loop()
    while True:
        spent = await asyncio.to_thread(processor_time)
        if (said := capacity.note(Sample(loop.time(), spent, live()))) is not None:
            log.log(logging.WARNING if capacity.exceeded else logging.INFO, "%s", said)
        await asyncio.sleep(EVERY_S)


def processor_time() -> float:
    """Seconds of processor time of this process and of those that it has started."""
    times = os.times()
    spent = times.user + times.system + times.children_user + times.children_system
    ticks = os.sysconf("SC_CLK_TCK")
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                spent += sum(map(int, fields[11:15])) / ticks
    return spent
