import pytest

from stream.dub.lateness import Lateness
from stream.frames import Fate
from stream.timeline import TICK_RATE, ticks


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (0, Fate.ON_TIME),
        (3840, Fate.ON_TIME),
        (3841, Fate.LATE),
        (-3840, Fate.ON_TIME),
        (-3841, Fate.LATE),
    ],
)
def test_a_dub_is_on_time_within_eighty_milliseconds_to_the_tick(error: int, fate: Fate) -> None:
    assert ticks(Lateness().on_time) == 3840
    assert Lateness().fate(error) is fate


def test_a_dub_is_hopeless_beyond_the_longest_lateness_to_the_tick() -> None:
    lateness = Lateness(max_late=1.5)
    assert not lateness.hopeless(3 * TICK_RATE // 2)
    assert lateness.hopeless(3 * TICK_RATE // 2 + 1)


def test_work_is_worth_while_until_the_dub_would_be_hopeless() -> None:
    assert Lateness(max_late=1.5).worth(2.0) == 3.5
    assert Lateness(max_late=1.5).worth(-2.0) == -0.5


@pytest.mark.parametrize(
    ("late", "followed", "admitted"),
    [(1.5, False, True), (1.51, False, False), (0.2, True, True), (0.21, True, False)],
)
def test_who_is_followed_may_be_less_late(late: float, followed: bool, admitted: bool) -> None:
    assert Lateness().admits(late, followed=followed) is admitted


def test_who_is_followed_may_never_be_later_than_who_is_not() -> None:
    assert not Lateness(max_late=0.1).admits(0.15, followed=True)
