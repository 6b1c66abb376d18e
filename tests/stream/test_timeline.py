from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.timeline import TICK, TICK_RATE, Interval, rescale, seconds, ticks

bases = st.sampled_from(
    [Fraction(1, n) for n in (1000, 8000, 12800, 16000, 22050, 44100, 48000, 90000, 1_000_000)]
    + [Fraction(1001, 30000), Fraction(1001, 24000)]
)


@given(st.integers(-(10**12), 10**12), bases, bases)
def test_rescaling_is_exact_to_half_a_unit(value: int, source: Fraction, target: Fraction) -> None:
    exact = value * source / target
    assert abs(rescale(value, source, target) - exact) <= Fraction(1, 2)


@given(st.integers(-(10**9), 10**9), bases)
def test_ticks_survive_a_finer_base(value: int, base: Fraction) -> None:
    if base <= TICK:
        assert rescale(rescale(value, TICK, base), base, TICK) == value


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=20).map(sorted), bases)
def test_rescaling_keeps_order(values: list[int], base: Fraction) -> None:
    scaled = [rescale(value, base, TICK) for value in values]
    assert scaled == sorted(scaled)


@given(st.integers(0, 10**11))
def test_seconds_round_trip(value: int) -> None:
    assert ticks(seconds(value)) == value


def test_an_interval_runs_forward() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        Interval(2, 1)


@given(*[st.integers(-1000, 1000)] * 4)
def test_overlap_is_symmetric_and_bounded(a: int, b: int, c: int, d: int) -> None:
    one, two = Interval(min(a, b), max(a, b)), Interval(min(c, d), max(c, d))
    assert one.overlap(two) == two.overlap(one) <= min(one.duration, two.duration)
    assert one.overlap(one) == one.duration
    assert one.shifted(TICK_RATE).overlap(one) == max(0, one.duration - TICK_RATE)
