"""How a network treats what goes over it, where the protocol tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """What a connection has come to so far.

    Attributes:
        rtt: round-trip time, seconds; ``None`` while it is not known.
        lost: packets that did not arrive when they were first sent.
        resent: packets that were sent again.
        dropped: packets that came too late, or never.
    """

    rtt: float | None
    lost: int
    resent: int = 0
    dropped: int = 0
