import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from server.turns import Turns


def test_one_at_a_time_and_no_owner_waits_for_more_than_one_turn_of_another() -> None:
    async def run() -> list[str]:
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
        return order

    order = asyncio.run(run())
    assert Counter(order) == {"greedy": 20, "modest": 3}
    assert [i for i, owner in enumerate(order) if owner == "modest"][-1] < 9


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


def test_a_turn_ends_with_its_owners_error() -> None:
    async def run() -> None:
        turns = Turns()
        try:
            async with turns.turn("a"):
                raise OSError
        except OSError:
            pass
        async with turns.turn("b"):
            assert turns.waiting == 0

    asyncio.run(run())
