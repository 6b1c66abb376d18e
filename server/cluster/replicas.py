"""What this process knows of the replicas that it calls: who they are, and how much work they have.

Ray Serve counts the calls that a replica has; but calls differ in length by a factor of twenty.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

SILENT_S = 2.5
"""Seconds after which a replica that has not said anything comes last."""


@dataclass(slots=True)
class _Replica:
    """What is known of one replica; times are of the monotonic clock."""

    queued: float = 0.0
    heard: float = field(default_factory=lambda: time.monotonic())
    sent: dict[str, float] = field(default_factory=dict)
    """Seconds of each call under way that came from here."""

    @property
    def work(self) -> float:
        """Seconds; of what it tells, our own calls are a part."""
        return max(self.queued, sum(self.sent.values()))


class Replicas:
    """The replicas of one kind; Serve's router, in a thread of its own, tells of them.

    Each method is one step on dictionaries, so that no lock is needed.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Replica] = {}
        self._went: dict[int, str] = {}
        self.ids: tuple[str, ...] = ()
        """Those that there are."""

    def there_are(self, ids: Iterable[str]) -> None:
        """These, and no others."""
        self.ids = tuple(ids)
        self._known = {id_: self._known.get(id_) or _Replica() for id_ in self.ids}

    def heard(self, replica: str, queued: float) -> None:
        """A replica has told how many seconds of work it has."""
        if (one := self._known.get(replica)) is not None:
            one.queued, one.heard = queued, time.monotonic()

    def sent(self, replica: str, call: str, number: int, seconds: float) -> None:
        """A call has gone to a replica."""
        self._went[number] = replica
        if (one := self._known.get(replica)) is not None:
            one.sent[call] = seconds

    def done(self, replica: str, call: str) -> None:
        """A call is over, well or not."""
        if (one := self._known.get(replica)) is not None:
            one.sent.pop(call, None)

    def forget(self, number: int) -> str:
        """The replica that a call went to, for the last time; empty if it went nowhere."""
        return self._went.pop(number, "")

    def rank(self, replica: str, avoid: str = "") -> tuple[bool, bool, float]:
        """The lower, the better a replica is for the next call."""
        one = self._known.get(replica) or _Replica()
        return replica == avoid, time.monotonic() - one.heard > SILENT_S, one.work


@functools.cache
def replicas_of(kind: str) -> Replicas:
    """The one table of a kind in this process."""
    return Replicas()
