"""How much of the machine this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores that this process may run on."""
    # Only Linux tells which ones those are.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return allowed or 1
