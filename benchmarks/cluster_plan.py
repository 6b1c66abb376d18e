"""How many replicas a load needs: ``python -m benchmarks.cluster_plan [--out FILE.svg]``.

A simulation of discrete events. Sessions speak; each utterance is recognised, translated and
spoken, one after the other, by replicas that take whichever waiting call is due first, and
refuse what cannot be in time any more. How long a call takes is drawn from what
``benchmarks/engines.py --json FILE`` has measured. The same seed gives the same figures.

Prints, for each number of sessions and each delay, the replicas of each kind with which 99 % of
the dubs are on time, and draws them. ``--check N`` runs N sessions for a minute of real time with
calls that sleep, behind the daemon's own turns, and prints what the simulation says beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
from numpy.random import Generator
from rich.console import Console
from rich.table import Table

from stream.speech.lengths import SLOWED

KINDS = ("asr", "mt", "tts")
ON_TIME = 0.99
MEASURED = Path(__file__).parent / "services.json"

SPEECH_S = (2.8, 0.5)
"""Median seconds of an utterance, and the spread of its logarithm: as in the recordings of people
that the evaluation uses."""

SILENCE_S = 0.9
"""Mean seconds between two utterances."""

ENDPOINTING_S = 0.5
"""Silence after which an utterance is known to have ended."""

CHARACTERS_PER_S = 14.0

SHORTEST_S = 1.5
"""Seconds to which speech is cut at most, so that its dub can be made within the delay."""


@dataclass(frozen=True)
class Service:
    """How long calls of a kind take.

    Attributes:
        unit: ``speech`` (seconds of it) or ``text`` (characters).
        samples: seconds that a unit took, one for each call that was measured.
        fixed: seconds beside that, such as those of the network.
    """

    unit: str
    samples: tuple[float, ...]
    fixed: float = 0.0

    @property
    def mean(self) -> float:
        """Seconds that a unit takes."""
        return sum(self.samples) / len(self.samples)

    def units(self, speech: float) -> float:
        """Units of an utterance of so many seconds."""
        return speech if self.unit == "speech" else speech * CHARACTERS_PER_S

    def usual(self, speech: float) -> float:
        """Seconds that a call about so many seconds takes as a rule."""
        return self.fixed + self.units(speech) * self.mean

    def draw(self, speech: float, random: Generator) -> float:
        """Seconds of a call about an utterance of so many seconds."""
        sample = self.samples[int(random.integers(len(self.samples)))]
        return self.fixed + self.units(speech) * sample


@dataclass(order=True)
class Dub:
    """An utterance on its way, in order of urgency.

    Attributes:
        due: when its dub has to begin, seconds.
        number: of those equally due, who came first.
        known: when it is known to have ended.
        takes: seconds of its calls, by kind.
        needs: seconds that they take as a rule, from each kind on.
    """

    due: float
    number: int
    known: float = field(compare=False)
    takes: tuple[float, ...] = field(compare=False)
    needs: tuple[float, ...] = field(compare=False)


def utterances(
    sessions: int, length: float, delay: float, services: Mapping[str, Service], seed: int
) -> list[Dub]:
    """What so many sessions say in ``length`` seconds, viewed ``delay`` seconds later."""
    random = np.random.default_rng(seed)
    numbers = count()
    reaction = ENDPOINTING_S + services["asr"].usual(1.0) + services["mt"].usual(1.0)
    longest = max((delay - reaction) / (1 + SLOWED * services["tts"].mean), SHORTEST_S)
    said: list[Dub] = []
    for _ in range(sessions):
        at = -float(random.uniform(0, SPEECH_S[0] + SILENCE_S))
        while at < length:
            speech = float(np.clip(random.lognormal(math.log(SPEECH_S[0]), SPEECH_S[1]), 0.4, 8))
            parts = math.ceil(speech / longest)
            for part in range(parts):
                begin, length_ = at + part * speech / parts, speech / parts
                takes = tuple(services[kind].draw(length_, random) for kind in KINDS)
                usual = [services[kind].usual(length_) for kind in KINDS]
                needs = tuple(sum(usual[stage:]) for stage in range(len(KINDS)))
                known = begin + length_ + (ENDPOINTING_S if part == parts - 1 else 0.0)
                if begin >= 0:
                    said.append(Dub(begin + delay, next(numbers), known, takes, needs))
            at += speech + float(random.exponential(SILENCE_S))
    return said


def on_time(said: Sequence[Dub], replicas: Sequence[int]) -> tuple[float, list[float]]:
    """The share of dubs on time, and by kind the mean seconds that a call waited.

    Args:
        said: all utterances.
        replicas: of each kind.
    """
    order = count()
    events = [(dub.known, next(order), 0, dub) for dub in said]
    heapq.heapify(events)
    free, waiting = list(replicas), [list[Dub]() for _ in KINDS]
    waited, calls, late = [0.0] * len(KINDS), [0] * len(KINDS), 0
    arrived: dict[tuple[int, int], float] = {}

    def begin(stage: int, now: float) -> int:
        """Give free replicas what is due first; returns how many were refused."""
        refused = 0
        while free[stage] and waiting[stage]:
            dub = heapq.heappop(waiting[stage])
            waited[stage] += now - arrived.pop((stage, dub.number))
            calls[stage] += 1
            if now + dub.needs[stage] > dub.due:
                refused += 1
                continue
            free[stage] -= 1
            heapq.heappush(events, (now + dub.takes[stage], next(order), stage + 1, dub))
        return refused

    while events:
        now, _, stage, dub = heapq.heappop(events)
        if stage:
            free[stage - 1] += 1
            late += begin(stage - 1, now)
        if stage == len(KINDS):
            late += now > dub.due
            continue
        arrived[stage, dub.number] = now
        heapq.heappush(waiting[stage], dub)
        late += begin(stage, now)
    means = [total / max(number, 1) for total, number in zip(waited, calls, strict=True)]
    return 1 - late / max(len(said), 1), means


def load(said: Sequence[Dub], length: float) -> list[float]:
    """Replicas that would be busy all the time, by kind."""
    return [sum(dub.takes[stage] for dub in said) / length for stage in range(len(KINDS))]


def plan(said: Sequence[Dub], length: float) -> tuple[list[int], float] | None:
    """The fewest replicas with which ``ON_TIME`` of the dubs are, and their share.

    Begins with those that the load keeps busy, and adds where calls wait longest; ``None`` if
    even with a replica for every call too few are on time.
    """
    if on_time(said, [len(said)] * len(KINDS))[0] < ON_TIME:
        return None
    replicas = [max(1, math.ceil(busy)) for busy in load(said, length)]
    while (found := on_time(said, replicas))[0] < ON_TIME:
        share, waits = found
        worst = max(range(len(KINDS)), key=waits.__getitem__)
        # The farther from the goal, the larger the step.
        replicas[worst] += max(1, round(replicas[worst] * min(0.1, (ON_TIME - share) / 4)))
    for stage in range(len(KINDS)):
        while replicas[stage] > 1:
            fewer = [n - (k == stage) for k, n in enumerate(replicas)]
            if on_time(said, fewer)[0] < ON_TIME or replicas[stage] > 50:
                break
            replicas = fewer
    return replicas, on_time(said, replicas)[0]


def read_services(path: Path, fixed: float) -> dict[str, Service]:
    """Service times as ``benchmarks/engines.py`` writes them, by kind.

    Args:
        path: JSON.
        fixed: seconds that each call takes beside, such as those of the network.
    """
    read = json.loads(path.read_text())["services"]
    return {
        kind: Service(read[kind]["unit"], tuple(read[kind]["seconds_per_unit"]), fixed)
        for kind in KINDS
    }


async def real(said: Sequence[Dub]) -> float:
    """The share on time in real time, with one replica of each kind behind the daemon's turns."""
    from server.engines.turns import Turns

    loop, turns = asyncio.get_running_loop(), [Turns() for _ in KINDS]
    began = loop.time()

    async def dub(one: Dub) -> bool:
        await asyncio.sleep(one.known - (loop.time() - began))
        for stage, takes in enumerate(one.takes):
            async with turns[stage].turn(f"dub {one.number}", began + one.due):
                if loop.time() - began + one.needs[stage] > one.due:
                    return False
                await asyncio.sleep(takes)
        return loop.time() - began <= one.due

    return sum(await asyncio.gather(*map(dub, said))) / max(len(said), 1)


def check(sessions: int, delay: float, services: Mapping[str, Service], seed: int) -> Table:
    """A minute of real time beside the simulation of the same utterances."""
    table = Table(title=f"one replica of each kind, a delay of {delay:g} s, 60 s")
    for heading in ("sessions", "dubs", "simulated", "real"):
        table.add_column(heading, justify="right")
    for number in sorted({max(1, sessions // 2), sessions, sessions * 3 // 2}):
        said = utterances(number, 60.0, delay, services, seed)
        simulated = on_time(said, [1] * len(KINDS))[0]
        measured = asyncio.run(real(said))
        table.add_row(str(number), str(len(said)), f"{simulated:.3f}", f"{measured:.3f}")
    return table


def plans(
    loads: Sequence[int], delays: Sequence[float], services: Mapping[str, Service], seed: int
) -> Iterator[tuple[int, float, list[int] | None, float]]:
    """Sessions, delay, replicas by kind, and the share on time."""
    for sessions in loads:
        length = 60.0 if sessions >= 1000 else 1800.0 if sessions < 10 else 300.0
        for delay in delays:
            said = utterances(sessions, length, delay, services, seed)
            found = plan(said, length)
            replicas, share = found if found is not None else (None, math.nan)
            yield sessions, delay, replicas, share


def draw(rows: Sequence[tuple[int, float, list[int] | None, float]], path: Path) -> None:
    """Replicas of each kind against sessions, for the shortest and the longest delay."""
    from matplotlib import pyplot

    delays = sorted({delay for _, delay, replicas, _ in rows if replicas})
    figure, axes = pyplot.subplots(figsize=(7, 4.2))
    for delay, style in zip((delays[0], delays[-1]), ("-", ":"), strict=True):
        for stage, (kind, colour) in enumerate(zip(KINDS, ("C0", "C1", "C2"), strict=True)):
            points = [(n, r[stage]) for n, d, r, _ in rows if r and d == delay]
            axes.loglog(*zip(*points, strict=True), style, marker=".", color=colour,
                        label=f"{kind}, {delay:g} s")  # fmt: skip
    axes.set_xlabel("sessions")
    axes.set_ylabel(f"replicas for {ON_TIME:.0%} on time")
    axes.grid(True, which="both", alpha=0.2)
    axes.legend()
    figure.savefig(path, bbox_inches="tight")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=Path, default=MEASURED)
    parser.add_argument("--sessions", default="1,10,100,1000,10000")
    parser.add_argument("--delays", default="4,6")
    parser.add_argument("--call", type=float, default=0.005, help="seconds a call takes beside")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", type=int, metavar="N", help="run N sessions in real time")
    parser.add_argument("--out", type=Path, help="SVG or PNG to draw")
    options = parser.parse_args()
    services, console = read_services(options.services, options.call), Console()
    delays = [float(text) for text in options.delays.split(",")]
    if options.check is not None:
        console.print(check(options.check, delays[0], services, options.seed))
        return
    table = Table(title=f"replicas for {ON_TIME:.0%} on time, the first due first")
    for heading in ("sessions", "delay, s", *KINDS, "on time"):
        table.add_column(heading, justify="right")
    loads = [int(text) for text in options.sessions.split(",")]
    rows = []
    for row in plans(loads, delays, services, options.seed):
        rows.append(row)
        sessions, delay, replicas, share = row
        counts = map(str, replicas) if replicas is not None else ["-"] * len(KINDS)
        table.add_row(str(sessions), f"{delay:g}", *counts, f"{share:.4f}")
    console.print(table)
    if options.out is not None:
        draw(rows, options.out)


if __name__ == "__main__":
    main()
