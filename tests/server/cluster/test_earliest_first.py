"""Turns at a model: what can be in time is, what cannot be is refused at once, and of whom."""

import asyncio
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.cluster.earliest_first import Asked, EarliestFirst, Pace, Refused, in_time

times = st.integers(0, 12).map(float)
calls = st.lists(st.tuples(st.sampled_from("ab"), times, st.integers(1, 5).map(float)), max_size=7)


def _asked(one: tuple[str, float, float]) -> Asked:
    owner, due, cost = one
    return Asked(owner, due, due, cost)


def _late(calls: list[Asked]) -> list[Asked]:
    free, late = 0.0, []
    for call in calls:
        free += call.cost
        if free > call.limit:
            late.append(call)
    return late


@given(calls)
def test_all_that_is_kept_is_in_time_and_nothing_else_is_refused_than_must_be(
    asked: list[tuple[str, float, float]],
) -> None:
    waiting = sorted(map(_asked, asked), key=lambda call: call.due)
    kept, refused = in_time(waiting, 0.0)
    assert not _late(kept)
    assert {*map(id, kept), *map(id, refused)} == set(map(id, waiting))
    assert bool(refused) == bool(_late(waiting))


@given(calls)
def test_of_one_owner_as_few_as_possible_are_refused(
    asked: list[tuple[str, float, float]],
) -> None:
    waiting = sorted((_asked(("a", *one[1:])) for one in asked), key=lambda call: call.due)
    _, refused = in_time(waiting, 0.0)
    fewest = next(
        n
        for n in range(len(waiting) + 1)
        for kept in itertools.combinations(waiting, len(waiting) - n)
        if not _late(list(kept))
    )
    assert len(refused) == fewest


def test_who_asks_for_most_loses_first() -> None:
    modest, greedy = Asked("a", 3, 3, 1), [Asked("b", 2 + n / 10, 2 + n / 10, 1) for n in range(3)]
    kept, refused = in_time([*greedy, modest], 0.0)
    assert modest in kept and len(refused) == 1 and refused[0].owner == "b"


def test_a_stream_needs_to_begin_in_time_only() -> None:
    assert in_time([Asked("a", 1, 1, cost=5, first=0.5)], 0.0)[1] == []
    assert len(in_time([Asked("a", 1, 1, cost=5)], 0.0)[1]) == 1


def test_pace_is_learnt_from_the_first_call_on() -> None:
    pace = Pace()
    pace.observe(10, 0.5, 1.0)
    assert (pace.whole, pace.first) == (0.1, 0.05)
    for _ in range(40):
        pace.observe(10, 1.0, 2.0)
    assert pace.whole == pytest.approx(0.2, rel=0.01)


async def _work(turns: EarliestFirst, call: Asked, name: str, done: list[str]) -> None:
    try:
        async with turns.turn(call):
            await asyncio.sleep(call.cost)
        done.append(name)
    except Refused:
        done.append(f"{name} refused")


@pytest.mark.virtual_time
async def test_the_most_urgent_comes_first_and_others_are_told_at_once() -> None:
    turns, done = EarliestFirst(), list[str]()
    now = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        for name, due, cost in (("now", 9, 1.0), ("late", 8, 1.0), ("soon", 2, 1.0)):
            call = Asked(name, now + due, now + due, cost)
            group.create_task(_work(turns, call, name, done))
        await asyncio.sleep(0.5)
        assert turns.queued == pytest.approx(2.5)
        hopeless = Asked("x", now + 1, now + 1, 1.0)
        await _work(turns, hopeless, "hopeless", done)
        assert done == ["hopeless refused"] and turns.refused == 1
        assert asyncio.get_running_loop().time() == now + 0.5  # nothing was waited for
    assert done == ["hopeless refused", "now", "soon", "late"] and turns.queued == 0


@pytest.mark.virtual_time
async def test_what_took_longer_than_expected_is_made_up_for_by_refusing() -> None:
    turns, done = EarliestFirst(), list[str]()
    now = asyncio.get_running_loop().time()

    async def slow() -> None:
        async with turns.turn(Asked("a", now + 1, now + 9, 0.1)):
            await asyncio.sleep(3)

    async with asyncio.TaskGroup() as group:
        group.create_task(slow())
        await asyncio.sleep(0)
        group.create_task(_work(turns, Asked("b", now + 2, now + 2, 1), "b", done))
        group.create_task(_work(turns, Asked("c", math.inf, math.inf, 1), "c", done))
    assert done == ["b refused", "c"]


@pytest.mark.virtual_time
@pytest.mark.parametrize("when", ["waiting", "given"])
async def test_a_call_given_up_holds_nobody_up(when: str) -> None:
    turns, done = EarliestFirst(), list[str]()
    async with asyncio.TaskGroup() as group:
        async with turns.turn(Asked("a", cost=1)):
            given_up = group.create_task(_work(turns, Asked("b", cost=1), "b", done))
            group.create_task(_work(turns, Asked("c", cost=1), "c", done))
            await asyncio.sleep(0.1)
            if when == "waiting":
                given_up.cancel()
                await asyncio.sleep(0)
        given_up.cancel()  # its turn has just come
    assert done == ["c"]
