import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dub.jitter import JitterBuffer, Played
from stream.frames import Samples
from stream.timeline import FRAME, Interval


def _buffer() -> tuple[JitterBuffer, list[Played]]:
    played: list[Played] = []
    return JitterBuffer(played.append), played


def _ones(length: int, value: float = 1.0) -> Samples:
    return np.full(length, value, np.float32)


def _pull(buffer: JitterBuffer, length: int, frame: int = FRAME) -> Samples:
    parts = []
    while length > 0:
        parts.append(buffer.pull(min(frame, length)))
        length -= frame
    return np.concatenate(parts)


def test_a_dub_starts_on_its_own_sample() -> None:
    buffer, played = _buffer()
    buffer.add(0, 1234)
    buffer.append(0, _ones(500))
    buffer.finish(0)
    out = _pull(buffer, 3 * FRAME)
    assert np.flatnonzero(out).tolist() == list(range(1234, 1734))
    assert played == [Played(0, Interval(1234, 1734), 0)]


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 4000)), min_size=1, max_size=12),
    st.integers(1, 2000),
)
def test_dubs_never_overlap_keep_their_order_and_lose_nothing(
    plan: list[tuple[int, int]], frame: int
) -> None:
    buffer, played = _buffer()
    start = 0
    for id_, (gap, length) in enumerate(plan):
        start += gap
        buffer.add(id_, start)
        buffer.append(id_, _ones(length, id_ + 1))
        buffer.finish(id_)
    out = _pull(buffer, start + sum(length for _, length in plan), frame)
    assert [p.id for p in played] == list(range(len(plan)))
    for id_, (_, length) in enumerate(plan):
        where = np.flatnonzero(out == id_ + 1)
        assert len(where) == length
        assert where[-1] - where[0] == length - 1, "in one piece"
        assert played[id_].interval == Interval(int(where[0]), int(where[-1]) + 1)
    for left, right in zip(played[:-1], played[1:], strict=True):
        assert left.interval.end <= right.interval.start


@given(st.integers(0, 3 * FRAME), st.integers(1, 3000), st.integers(0, 12 * FRAME))
def test_a_dub_is_replaced_as_a_whole_until_it_is_heard(start: int, length: int, when: int) -> None:
    buffer, played = _buffer()
    buffer.add(0, 0)
    buffer.append(0, _ones(FRAME // 2))
    buffer.finish(0)
    buffer.add(1, 4 * FRAME)
    buffer.append(1, _ones(FRAME, 2))
    buffer.finish(1)
    before = buffer.pull(when)
    replaced = buffer.replace(1, start, _ones(length, 3))
    after = _pull(buffer, 30 * FRAME)
    out = np.concatenate([before, after])
    assert replaced == (when <= 4 * FRAME)
    assert (out == 1).sum() == FRAME // 2
    assert (out == 2).sum() == (0 if replaced else FRAME)
    assert (out == 3).sum() == (length if replaced else 0)
    assert [each.id for each in played] == [0, 1]
    if replaced:
        assert played[1].interval.start == max(start, when, played[0].interval.end)


def test_what_is_not_complete_or_not_the_newest_is_not_replaced() -> None:
    buffer, _ = _buffer()
    buffer.add(0, 100)
    assert not buffer.replace(0, 100, _ones(10))
    buffer.finish(0)
    buffer.add(1, 200)
    assert not buffer.replace(0, 100, _ones(10))
    assert not buffer.replace(2, 100, _ones(10))


def test_a_late_dub_starts_at_once() -> None:
    buffer, played = _buffer()
    buffer.add(0, 100)
    _pull(buffer, 5 * FRAME)
    buffer.append(0, _ones(10))
    buffer.finish(0)
    out = buffer.pull(FRAME)
    assert np.flatnonzero(out).tolist() == list(range(10))
    assert played[0].interval.start == 5 * FRAME


def test_a_piece_that_comes_late_leaves_a_counted_gap_and_the_rest_is_played() -> None:
    buffer, played = _buffer()
    buffer.add(0, 0)
    buffer.append(0, _ones(FRAME // 2))
    _pull(buffer, 2 * FRAME)
    buffer.append(0, _ones(FRAME // 2))
    buffer.finish(0)
    buffer.pull(FRAME)
    assert played == [Played(0, Interval(0, 2 * FRAME + FRAME // 2), FRAME // 2 + FRAME)]


def test_one_lost_piece_does_not_add_lag() -> None:
    """The buffer expires a gap by time instead of waiting for more to arrive."""
    buffer, played = _buffer()
    for id_ in range(10):
        buffer.add(id_, id_ * 10 * FRAME)
        if id_ != 3:
            buffer.append(id_, _ones(5 * FRAME))
        buffer.finish(id_)
    _pull(buffer, 100 * FRAME)
    assert [p.interval.start for p in played if p.id != 3] == [
        id_ * 10 * FRAME for id_ in range(10) if id_ != 3
    ]


def test_an_empty_dub_ends_without_a_sound() -> None:
    buffer, played = _buffer()
    buffer.add(0, 50)
    buffer.finish(0)
    assert not buffer.pull(FRAME).any()
    assert played == [Played(0, Interval(50, 50), 0)]


def test_the_end_of_the_source_can_tell_what_is_missing() -> None:
    buffer, _ = _buffer()
    buffer.add(0, 100)
    assert buffer.incomplete_before(101) and not buffer.incomplete_before(100)
    buffer.append(0, _ones(1))
    assert not buffer.incomplete_before(101)
    assert buffer.waiting


def test_order_is_the_callers_duty() -> None:
    buffer, _ = _buffer()
    buffer.add(0, 100)
    with pytest.raises(ValueError, match="order"):
        buffer.add(1, 99)
    with pytest.raises(KeyError):
        buffer.append(7, _ones(1))


def test_a_dub_that_the_end_of_the_media_cuts_off_was_heard() -> None:
    buffer, played = _buffer()
    for id_, start in enumerate((100, 2000, 9000)):
        buffer.add(id_, start)
        buffer.append(id_, _ones(1500))
    buffer.finish(0)
    buffer.pull(2500)
    buffer.end()
    assert [dub.id for dub in played] == [0]  # more of the second may still be on its way
    buffer.finish(1)
    buffer.finish(2)  # never begun
    assert played[1:] == [Played(1, Interval(2000, 2500), 0)]
