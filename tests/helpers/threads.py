"""Threads of ours that something has left behind."""

from __future__ import annotations

import threading


def ours_since(before: set[threading.Thread]) -> list[str]:
    """Names of our threads that have begun since; engines that tests share are from before."""
    begun = set(threading.enumerate()) - before
    return [thread.name for thread in begun if thread.name.startswith("livedub")]
