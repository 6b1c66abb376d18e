"""How many sessions a machine carries, from what those that it has cost."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from server.sessions.capacity import (
    EVERY_S,
    LIMIT,
    ROOM,
    WINDOW_S,
    Capacity,
    Sample,
    processor_time,
)


def run(capacity: Capacity, *phases: tuple[int, float, float]) -> list[str]:
    """Phases of live sessions, cores in use and seconds; everything that was said."""
    said, time, cpu = [], 0.0, 0.0
    for live, used, length in phases:
        for _ in range(round(length / EVERY_S) + 1):
            sentence = capacity.note(Sample(time, cpu, live))
            said += [sentence] if sentence else []
            time += EVERY_S
            cpu += used * EVERY_S
    return said


def test_it_is_said_once_what_a_session_costs_and_how_many_fit() -> None:
    capacity = Capacity(4)
    assert run(capacity, (0, 0.1, 60), (1, 0.8, 300)) == [
        "1 session takes 0.8 of 4 cores: this machine carries about 4 of this kind"
    ]
    assert capacity.carried == 4


def test_too_much_is_a_warning_each_time_it_begins() -> None:
    capacity = Capacity(2)
    said = run(capacity, (3, 2.0, 180), (1, 0.5, 120), (3, 1.99, 120))
    assert [("all there is" in one) for one in said] == [True, False, True]
    assert said[0].startswith("3 sessions take 2.0 of 2 cores, which is all there is")


@given(st.integers(1, 64), st.integers(1, 40), st.floats(0.01, 64))
def test_as_many_fit_as_their_cost_allows(cores: int, live: int, used: float) -> None:
    capacity = Capacity(cores)
    run(capacity, (live, used, 2 * WINDOW_S))
    assert capacity.carried is not None
    assert capacity.carried * used / live <= ROOM * cores + 1e-6
    assert (capacity.carried + 1) * used / live > ROOM * cores - 1e-6
    assert capacity.exceeded == (used > LIMIT * cores)


def test_what_child_processes_spend_is_counted_while_they_run() -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
    before = processor_time()
    child = subprocess.Popen(
        [sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert processor_time() - before > 0.25
    child.communicate(b"\n")
