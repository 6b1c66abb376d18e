"""RTP back in order, by the clock."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.webrtc.rtp_order import Lost, Reorder


@given(st.integers(0, 65535), st.lists(st.booleans(), min_size=2, max_size=80), st.randoms())
def test_what_arrives_comes_out_in_order_and_the_rest_is_counted(
    first: int, arrives: list[bool], chance: random.Random
) -> None:
    arrives[0] = arrives[-1] = True
    order: Reorder[int] = Reorder(wait=0.1, capacity=100)
    order.add(first, 0, 0.0)
    rest = [n for n, there in enumerate(arrives) if there and n]
    chance.shuffle(rest)
    for n in rest:
        order.add((first + n) % 65536, n, 0.0)
    out = list(order.ready(1.0))
    position = 0
    for item in out:
        if isinstance(item, Lost):
            assert not any(arrives[position : position + item.count])
            position += item.count
        else:
            assert item == position
            position += 1
    assert position == len(arrives)
    assert not len(order)


def test_a_gap_holds_up_for_its_time_and_not_longer() -> None:
    order: Reorder[str] = Reorder(wait=0.1, capacity=100)
    order.add(1, "a", 0.0)
    order.add(3, "c", 0.02)
    order.add(4, "d", 0.04)
    assert list(order.ready(0.05)) == ["a"]
    assert order.missing() == [2]
    assert order.deadline() == pytest.approx(0.12)
    assert list(order.ready(0.119)) == []
    assert list(order.ready(0.121)) == [Lost(1), "c", "d"]
    order.add(2, "b", 0.13)
    assert order.late == 1
    assert list(order.ready(1.0)) == []


def test_a_late_packet_fills_its_gap() -> None:
    order: Reorder[str] = Reorder(wait=0.1, capacity=100)
    for number, packet in ((65535, "a"), (1, "c"), (0, "b"), (0, "b")):
        order.add(number, packet, 0.0)
    assert list(order.ready(0.0)) == ["a", "b", "c"]
    assert order.late == 1


def test_memory_is_bounded_and_what_goes_is_known() -> None:
    order: Reorder[int] = Reorder(wait=0.1, capacity=10)
    for number in range(25):
        order.add(number, number, 0.0)
    assert len(order) == 10
    assert list(order.ready(0.0)) == [Lost(15), *range(15, 25)]


def test_a_sender_that_counts_anew_is_followed() -> None:
    order: Reorder[str] = Reorder(wait=0.1, capacity=10)
    order.add(20_000, "a", 0.0)
    assert list(order.ready(0.0)) == ["a"]
    order.add(5, "b", 0.0)
    assert list(order.ready(0.0)) == [Lost(0), "b"]
