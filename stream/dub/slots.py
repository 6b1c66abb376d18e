"""What is known of the slots ahead of playout: which are announced, and how far it is settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from stream.timeline import END_OF_TIME, TICK_RATE, Interval


class Slots:
    """Slots of utterances, from their announcement until what becomes of them is known.

    Args:
        memory: ticks behind the playout position for which onsets are remembered.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._settled = 0
        self._open: dict[int, Interval] = {}
        self._onsets: deque[int] = deque()

    def settle(self, time: int) -> None:
        """No utterance that was not announced starts before ``time`` ticks."""
        self._settled = max(self._settled, time)

    def settle_all(self) -> None:
        """No more utterances will be announced."""
        self._settled = END_OF_TIME

    def announce(self, id_: int, slot: Interval, position: int) -> None:
        """An utterance was found, while playout is at ``position``."""
        self._open[id_] = slot
        self._onsets.append(slot.start)
        while self._onsets and self._onsets[0] < position - self._memory:
            self._onsets.popleft()

    def resolve(self, id_: int) -> None:
        """It is known what is played in the slot: a dub, or the original."""
        self._open.pop(id_, None)

    def open_at(self, time: int) -> Iterator[tuple[int, Interval]]:
        """Slots around ``time`` of which nobody knows yet what is played."""
        return ((id_, slot) for id_, slot in self._open.items() if slot.start <= time < slot.end)

    def known_until(self, time: int) -> bool:
        """Whether it is known what is played in every slot that starts before ``time``."""
        return self._settled >= time and all(slot.start >= time for slot in self._open.values())

    def certain(self, slot: Interval, until: int) -> bool:
        """Whether ``free_until`` of a slot is certain up to ``until``."""
        return self._settled >= until or any(onset > slot.start for onset in self._onsets)

    def free_until(self, slot: Interval, media_end: int) -> int:
        """Media time up to which no speech follows the slot, as far as is known.

        Args:
            slot: of an utterance.
            media_end: where the source ends; the last dub may run over it by a second.
        """
        following = [onset for onset in self._onsets if onset > slot.start]
        known = min(following, default=self._settled)
        return media_end + TICK_RATE if known == END_OF_TIME else known
