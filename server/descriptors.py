"""File descriptors: as many as the system gives, and quiet where it gives no more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import resource
from typing import Any

WANTED = 65_536
"""More than viewers, sockets of WebRTC and files of HLS will ever be."""

QUIET_S = 10.0
"""Seconds between two lines about connections that cannot be accepted."""

_log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the soft limit as far as the hard one lets us; returns how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED if soft == resource.RLIM_INFINITY else soft


def be_quiet_without(loop: asyncio.AbstractEventLoop) -> None:
    """Say now and then that connections cannot be accepted; asyncio does for every attempt."""
    last = -math.inf

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal last
        if not str(context.get("message", "")).startswith("socket.accept() out of system"):
            loop.default_exception_handler(context)
            return
        if loop.time() - last >= QUIET_S:
            last = loop.time()
            _log.error("connections cannot be accepted: %s", context.get("exception"))

    loop.set_exception_handler(handle)
