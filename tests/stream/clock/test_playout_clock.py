import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.clock.playout_clock import SLEW, PlayoutClock
from stream.timeline import TICK_RATE, ticks

STEP = 0.04


def _run(
    clock: PlayoutClock, begin: float, length: float, *, rate: float = 1.0, late: float = 0.0
) -> Iterator[float]:
    """Arrivals every 40 ms of a source that runs ``rate`` times as fast; yields wall times."""
    for i in range(round(length / STEP)):
        now = begin + i * STEP
        clock.observe(now, ticks((now - late) * rate))
        yield now


def _viewed(clock: PlayoutClock, now: float) -> float:
    """Media seconds that the viewer sees at ``now``."""
    return now - clock.due(0)


def test_nothing_is_due_before_anything_arrived() -> None:
    clock = PlayoutClock(6.0)
    assert math.isinf(clock.due(0))
    assert clock.arriving(3.0) == 0


def test_the_viewer_is_the_delay_behind() -> None:
    clock = PlayoutClock(6.0)
    for now in _run(clock, 0.0, 20.0):
        assert now - _viewed(clock, now) == pytest.approx(6.0)


@given(st.lists(st.floats(0, 0.5), min_size=20, max_size=200))
def test_jitter_moves_the_viewer_by_no_more_than_the_promptest_arrival(
    delays: list[float],
) -> None:
    clock = PlayoutClock(2.0)
    for i, jitter in enumerate(delays):
        clock.observe(i * STEP + jitter, ticks(i * STEP))
    assert 2.0 - 1e-6 <= clock.due(0) <= 2.5 + 1e-6


@given(st.floats(0.5, 10), st.floats(0.1, 3))
def test_the_picture_never_goes_back_or_jumps_ahead(stall: float, delay: float) -> None:
    """A stall that ends with everything at once leaves the viewer where it was."""
    clock = PlayoutClock(delay)
    list(_run(clock, 0.0, 6.0))
    before = clock.due(0)
    end = 6.0 + stall
    for i in range(round(stall / STEP)):
        clock.observe(end, ticks(6.0 + i * STEP))
    list(_run(clock, end, 5.0))
    assert clock.due(0) == pytest.approx(before, abs=1e-3 + SLEW * 5)
    assert clock.restarts == 0


@pytest.mark.parametrize("ppm", [200, -200])
def test_a_source_whose_clock_is_off_is_followed_for_an_hour(ppm: int) -> None:
    clock = PlayoutClock(6.0)
    rate = 1 + ppm * 1e-6
    for now in _run(clock, 0.0, 3600.0, rate=rate):
        behind = now * rate - (now - clock.due(0))
    assert behind == pytest.approx(6.0, abs=0.01)
    assert clock.restarts == 0


def test_a_source_that_stays_late_stops_the_picture_once() -> None:
    clock = PlayoutClock(6.0)
    list(_run(clock, 0.0, 10.0))
    list(_run(clock, 15.0, 20.0, late=5.0))
    assert clock.restarts == 1
    assert clock.due(0) == pytest.approx(11.0)


def test_a_source_that_bursts_at_the_start_is_taken_at_its_promptest() -> None:
    clock = PlayoutClock(6.0)
    clock.observe(0.0, ticks(0.0))
    clock.observe(0.1, ticks(3.0))
    list(_run(clock, 0.1, 1.0, late=-2.9))
    assert clock.due(0) == pytest.approx(6.0 - 2.9)


@given(st.floats(1, 10), st.floats(1, 10))
def test_a_new_delay_is_reached_at_an_inaudible_pace(old: float, new: float) -> None:
    clock = PlayoutClock(old)
    list(_run(clock, 0.0, old + 1))
    clock.delay = new
    seen, last = _viewed(clock, old + 1), old + 1
    for now in _run(clock, old + 1, abs(new - old) / SLEW + 1):
        pace = (_viewed(clock, now) - seen) / (now - last) if now > last else 1.0
        assert 1 - 2 * SLEW - 1e-6 <= pace <= 1 + 2 * SLEW + 1e-6
        seen, last = _viewed(clock, now), now
    assert clock.behind == pytest.approx(new)


def test_the_delay_does_not_shrink_while_somebody_speaks() -> None:
    clock = PlayoutClock(4.0)
    list(_run(clock, 0.0, 5.0))
    clock.delay = 2.0
    clock.may_hurry = False
    list(_run(clock, 5.0, 10.0))
    assert clock.behind == pytest.approx(4.0)
    clock.may_hurry = True
    list(_run(clock, 15.0, 200.0))
    assert clock.behind == pytest.approx(2.0)


def test_a_publisher_that_returns_goes_on_at_the_time_it_is_by_then() -> None:
    clock = PlayoutClock(3.0)
    list(_run(clock, 100.0, 5.0, late=100.0))
    assert clock.arriving(112.0) == pytest.approx(12 * TICK_RATE, abs=100)
