"""Turns at a model, earliest deadline first, for as many calls as can still be in time.

Earliest deadline first meets every deadline that can be met (Liu, Layland, JACM 1973); but where
not all can, each call is late by what came before it. So where the next one would be late, one is
refused, the longest of those so far, by the rule that leaves the fewest late (Moore with Hodgson,
Management Science 1968); of several owners, it is one of whoever asks for most. Whoever is refused
is told at once, while something else can still be done.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from stream.errors import LivedubError

NEWEST_WEIGHT = 0.2
"""Weight of the newest call in what calls are expected to take."""


class Refused(LivedubError):
    """A call cannot be in time; the message says why."""


@dataclass(eq=False, slots=True)
class Asked:
    """One call that waits for its turn; times are the clock's, in seconds.

    Attributes:
        owner: whose it is.
        due: when its result is wanted; infinite where nobody waits.
        limit: when it is of no use any more.
        cost: seconds for which it takes the model.
        first: seconds after which its result is of use: that of a stream begins sooner.
    """

    owner: str
    due: float = math.inf
    limit: float = math.inf
    cost: float = 0.0
    first: float = math.inf

    def __post_init__(self) -> None:
        self.first = min(self.first, self.cost)


def in_time(calls: Iterable[Asked], begin: float) -> tuple[list[Asked], list[Asked]]:
    """Part calls into those that will be in time, in their order, and those to be refused.

    Args:
        calls: the earliest due first.
        begin: when the model is free.
    """
    kept: list[Asked] = []
    refused: list[Asked] = []
    free = begin
    for call in calls:
        kept.append(call)
        free += call.cost
        while kept and free - kept[-1].cost + kept[-1].first > kept[-1].limit:
            victim = _victim(kept)
            kept.remove(victim)
            refused.append(victim)
            free -= victim.cost
            if victim is call:
                break
    return kept, refused


def _victim(calls: list[Asked]) -> Asked:
    """The longest call of the owner who asks for most; the last of equal ones."""
    asked: Counter[str] = Counter()
    for call in calls:
        asked[call.owner] += 1
    cost = {owner: sum(one.cost for one in calls if one.owner == owner) for owner in asked}
    return max(reversed(calls), key=lambda call: (cost[call.owner], call.cost))


@dataclass(slots=True)
class Pace:
    """How long calls take, learnt from those that were made: seconds for a unit of what they ask.

    Attributes:
        whole: of the call.
        first: until the first of its result.
    """

    whole: float = 0.0
    first: float = 0.0

    def observe(self, units: float, first: float, whole: float) -> None:
        """Learn from a call of ``units``; both times in seconds."""
        units = max(units, 1e-3)
        weight = NEWEST_WEIGHT if self.whole else 1.0
        self.whole += weight * (whole / units - self.whole)
        self.first += weight * (first / units - self.first)


@dataclass(slots=True)
class _Waiting:
    call: Asked
    number: int
    turn: asyncio.Future[None]


@dataclass(slots=True)
class EarliestFirst:
    """The turns at one model."""

    _waiting: list[_Waiting] = field(default_factory=list)
    _number: int = 0
    _serving: Asked | None = None
    _free: float = 0.0
    """When the call that is served is expected to end."""
    refused: int = 0
    """Calls so far."""

    @property
    def queued(self) -> float:
        """Seconds of work that there is, what is left of the call under way included."""
        waiting = sum(one.call.cost for one in self._waiting)
        return waiting + (max(self._free - _now(), 0.0) if self._serving is not None else 0.0)

    @contextlib.asynccontextmanager
    async def turn(self, call: Asked) -> AsyncIterator[None]:
        """Have the model for the body of the ``async with``.

        Raises:
            Refused: at once, if the call cannot be in time; or later, if others push it out.
        """
        await self._wait(call)
        self._serving, self._free = call, _now() + call.cost
        try:
            yield
        finally:
            self._serving = None
            self._next()

    async def _wait(self, call: Asked) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number += 1
        self._waiting.append(_Waiting(call, self._number, turn))
        self._waiting.sort(key=lambda one: (one.call.due, one.number))
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            self._waiting = [one for one in self._waiting if one.turn is not turn]
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._serving = None
                self._next()  # the turn had come: it passes on
            raise

    def _next(self) -> None:
        """Refuse what cannot be in time any more, and begin with the next call if there is one."""
        now = _now()
        begin = now if self._serving is None else max(self._free, now)
        kept, refused = in_time([one.call for one in self._waiting], begin)
        if refused:
            gone = set(map(id, refused))
            for one in self._waiting:
                if id(one.call) in gone and not one.turn.done():
                    one.turn.set_exception(Refused(_why(one.call, begin - now + self._before(one))))
            self._waiting = [one for one in self._waiting if id(one.call) not in gone]
            self.refused += len(refused)
        if self._serving is None and self._waiting:
            first = self._waiting.pop(0)
            self._serving, self._free = first.call, now + first.call.cost
            first.turn.set_result(None)

    def _before(self, one: _Waiting) -> float:
        return sum(o.call.cost for o in self._waiting[: self._waiting.index(one)])


def _why(call: Asked, wait: float) -> str:
    left = call.limit - _now()
    return f"it would wait {wait:.2f} s and take {call.first:.2f} s, but has {left:.2f} s"


def _now() -> float:
    return asyncio.get_running_loop().time()
