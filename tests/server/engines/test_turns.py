import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from server.engines.turns import Turns


async def test_one_at_a_time_and_no_owner_waits_for_more_than_one_turn_of_another() -> None:
    turns, order, inside = Turns(), [], 0

    async def call(owner: str) -> None:
        nonlocal inside
        async with turns.turn(owner):
            inside += 1
            assert inside == 1
            order.append(owner)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(call("greedy"))
        await asyncio.sleep(0)
        for _ in range(3):
            group.create_task(call("modest"))
    assert Counter(order) == {"greedy": 20, "modest": 3}
    assert [i for i, owner in enumerate(order) if owner == "modest"][-1] < 9


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), min_size=1, max_size=30))
def test_in_each_round_every_owner_has_a_turn_and_the_earliest_due_is_first(
    calls: list[tuple[str, int]],
) -> None:
    async def run() -> list[tuple[str, int]]:
        turns, order = Turns(), []

        async def call(owner: str, due: int) -> None:
            async with turns.turn(owner, due):
                order.append((owner, due))

        async with asyncio.TaskGroup() as group, turns.turn("who was there before"):
            for owner, due in calls:
                group.create_task(call(owner, due))
            await asyncio.sleep(0)
            assert turns.waiting == len(calls)
        return order

    order = asyncio.run(run())
    lines: dict[str, list[int]] = {}
    for owner, due in calls:
        lines.setdefault(owner, []).append(due)
    while order:
        size = len(lines)
        this, order = order[:size], order[size:]
        assert {owner for owner, _ in this} == lines.keys()
        heads = {owner: line.pop(0) for owner, line in lines.items()}
        assert [due for _, due in this] == sorted(heads.values())
        lines = {owner: line for owner, line in lines.items() if line}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=30))
def test_whoever_gives_up_the_turn_passes_on(calls: list[tuple[str, bool]]) -> None:
    async def run() -> None:
        turns, done = Turns(), 0

        async def call(owner: str) -> None:
            nonlocal done
            async with turns.turn(owner):
                await asyncio.sleep(0)
            done += 1

        tasks = [asyncio.create_task(call(owner)) for owner, _ in calls]
        await asyncio.sleep(0)
        cancelled = [t for t, (_, cancel) in zip(tasks, calls, strict=True) if cancel]
        for task in cancelled:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert done == sum(not task.cancelled() for task in tasks)
        assert turns.waiting == 0
        async with turns.turn("last"):
            pass

    asyncio.run(run())


async def test_a_turn_ends_with_its_owners_error() -> None:
    turns = Turns()
    try:
        async with turns.turn("a"):
            raise OSError
    except OSError:
        pass
    async with turns.turn("b"):
        assert turns.waiting == 0
