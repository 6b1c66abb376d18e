"""The planning of a cluster: the queue as by hand, and plans that hold what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cluster_plan import (
    ON_TIME,
    Dub,
    Service,
    load,
    on_time,
    plan,
    real,
    utterances,
)
from tests.helpers.examples import examples

SERVICES = {
    "asr": Service("speech", (0.05, 0.1)),
    "mt": Service("text", (0.001, 0.002)),
    "tts": Service("speech", (0.2, 0.4)),
}


def dub(number: int, due: float, known: float, *takes: float) -> Dub:
    return Dub(due, number, known, takes, tuple(sum(takes[k:]) for k in range(3)))


def test_what_is_due_first_goes_first_and_what_is_too_late_is_refused() -> None:
    # The first keeps the recogniser busy until 1; then the third is due before the second.
    said = [dub(0, 9, 0, 1, 0, 0), dub(1, 9, 0.1, 1, 0, 0), dub(2, 2, 0.2, 1, 0, 0)]
    assert on_time(said, [1, 1, 1]) == (1.0, [pytest.approx((0 + 1.9 + 0.8) / 3), 0.0, 0.0])
    said[1] = dub(1, 2.5, 0.1, 1, 0, 0)  # it would be through at 3
    assert on_time(said, [1, 1, 1])[0] == pytest.approx(2 / 3)
    assert on_time(said, [2, 1, 1])[0] == 1.0


def test_stages_follow_each_other() -> None:
    said = [dub(0, 3.0, 0, 1, 1, 1), dub(1, 4.0, 0, 1, 1, 1)]
    assert on_time(said, [1, 1, 1])[0] == 1.0
    assert on_time([said[0], dub(1, 3.9, 0, 1, 1, 1)], [1, 1, 1])[0] == 0.5


def test_the_same_seed_says_the_same() -> None:
    one, same, other = (utterances(3, 60, 4, SERVICES, seed) for seed in (1, 1, 2))
    assert one == same and [d.takes for d in one] == [d.takes for d in same] and one != other
    per_minute = len(utterances(50, 120, 4, SERVICES, 1)) / 100
    assert 12 < per_minute < 30
    speech = np.median([(d.takes[0]) for d in one])
    assert 0.05 < speech < 0.4


@examples(0.4)
@given(sessions=st.integers(1, 30), delay=st.sampled_from([3.0, 4.0, 6.0]), seed=st.integers(0, 9))
def test_a_plan_holds_and_is_no_smaller_than_the_load(
    sessions: int, delay: float, seed: int
) -> None:
    said = utterances(sessions, 60, delay, SERVICES, seed)
    found = plan(said, 60)
    if found is None:
        assert on_time(said, [len(said)] * 3)[0] < ON_TIME
        return
    replicas, share = found
    assert share == on_time(said, replicas)[0] >= ON_TIME
    assert all(number >= 1 for number in replicas)
    for stage, busy in enumerate(load(said, 60)):
        assert replicas[stage] >= ON_TIME * busy - 1


@pytest.mark.virtual_time
async def test_the_daemons_turns_do_as_the_simulation_says() -> None:
    for sessions in (2, 4):
        said = utterances(sessions, 60, 4, SERVICES, 1)
        assert await real(said) == pytest.approx(on_time(said, [1, 1, 1])[0], abs=0.03)
