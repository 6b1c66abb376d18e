"""How long work has waited for its turn at what others use too, known to all that it calls."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Waited:
    """Wall seconds so far."""

    seconds: float = 0.0


WAITED: ContextVar[Waited | None] = ContextVar("waited", default=None)
"""Where whoever waits adds to; ``None`` where nobody asks."""
