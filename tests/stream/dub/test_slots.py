from hypothesis import given
from hypothesis import strategies as st

from stream.dub.slots import Slots
from stream.timeline import END_OF_TIME, TICK_RATE, Interval

MEMORY = 10 * TICK_RATE
ONE, TWO = Interval(100, 200), Interval(300, 400)


def test_a_slot_is_open_from_its_announcement_until_it_is_resolved() -> None:
    slots = Slots(MEMORY)
    slots.announce(0, ONE, 0)
    assert [list(slots.open_at(t)) for t in (99, 100, 199, 200)] == [[], [(0, ONE)], [(0, ONE)], []]
    slots.resolve(0)
    slots.resolve(0)
    assert list(slots.open_at(150)) == []


def test_nothing_is_known_beyond_what_is_settled_and_what_is_open() -> None:
    slots = Slots(MEMORY)
    assert slots.known_until(0) and not slots.known_until(1)
    slots.settle(1000)
    slots.settle(500)  # never back
    assert slots.known_until(1000) and not slots.known_until(1001)
    slots.announce(0, ONE, 0)
    assert slots.known_until(100) and not slots.known_until(101)
    slots.resolve(0)
    assert slots.known_until(1000)


def test_the_next_onset_ends_what_is_free() -> None:
    slots = Slots(MEMORY)
    slots.announce(0, ONE, 0)
    slots.settle(250)
    assert slots.free_until(ONE, 999) == 250
    assert slots.certain(ONE, 250) and not slots.certain(ONE, 251)
    slots.announce(1, TWO, 0)
    assert slots.free_until(ONE, 999) == 300
    assert slots.certain(ONE, 10**9)
    assert not slots.certain(TWO, 10**9)


def test_after_the_last_utterance_a_dub_may_run_a_second_over_the_source() -> None:
    slots = Slots(MEMORY)
    slots.announce(0, ONE, 0)
    slots.settle_all()
    assert slots.certain(ONE, END_OF_TIME)
    assert slots.free_until(ONE, 5000) == 5000 + TICK_RATE


def test_onsets_far_behind_playout_are_forgotten() -> None:
    slots = Slots(MEMORY)
    slots.announce(0, ONE, 0)
    slots.announce(1, TWO, 0)
    slots.settle(20 * TICK_RATE)
    assert slots.free_until(ONE, 0) == TWO.start
    slots.announce(2, Interval(20 * TICK_RATE, 21 * TICK_RATE), TWO.start + MEMORY + 1)
    assert slots.free_until(ONE, 0) == 20 * TICK_RATE


def test_an_utterance_may_be_found_after_playout_has_long_passed_it() -> None:
    """A recogniser that hung holds up the search for utterances, a live picture goes on."""
    slots = Slots(MEMORY)
    slots.announce(0, ONE, ONE.start + 2 * MEMORY)
    assert not slots.known_until(ONE.end)
    slots.resolve(0)
    slots.settle(3 * MEMORY)
    assert slots.known_until(3 * MEMORY)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(0, 90))
def test_no_onset_within_memory_is_forgotten(starts: list[int], position: int) -> None:
    slots = Slots(30)
    starts.sort()
    for id_, start in enumerate(starts):
        slots.announce(id_, Interval(start, start + 1), position)
    slots.settle_all()
    for start in starts:
        following = [other for other in starts if other > start and other >= position - 30]
        if following:
            assert slots.free_until(Interval(start, start + 1), 99) == following[0]
