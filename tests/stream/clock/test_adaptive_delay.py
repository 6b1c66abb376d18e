from hypothesis import given
from hypothesis import strategies as st

from stream.clock.adaptive_delay import HEADROOM_S, REMEMBERED, AdaptiveDelay
from stream.clock.playout_clock import PlayoutClock


def test_a_dub_that_comes_late_makes_the_delay_what_it_would_have_needed() -> None:
    clock = PlayoutClock(4.0)
    AdaptiveDelay(clock, 3.0, 15.0).dubbed(5.2)
    assert clock.delay == 5.2 + HEADROOM_S


def test_dubs_that_come_early_for_long_shorten_it_step_by_step() -> None:
    clock = PlayoutClock(8.0)
    adaptive = AdaptiveDelay(clock, 3.0, 15.0)
    for _ in range(REMEMBERED - 1):
        adaptive.dubbed(2.0)
    assert clock.delay == 8.0
    for _ in range(100 * REMEMBERED):
        adaptive.dubbed(2.0)
    assert clock.delay == 3.0


def test_a_dub_that_never_came_lengthens_it() -> None:
    clock = PlayoutClock(4.0)
    AdaptiveDelay(clock, 3.0, 15.0).dropped()
    assert clock.delay > 4.0


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=200))
def test_the_delay_stays_within_its_bounds(needed: list[float | None]) -> None:
    clock = PlayoutClock(6.0)
    adaptive = AdaptiveDelay(clock, 3.0, 15.0)
    for value in needed:
        if value is None:
            adaptive.dropped()
        else:
            adaptive.dubbed(value)
        assert 3.0 <= clock.delay <= 15.0
