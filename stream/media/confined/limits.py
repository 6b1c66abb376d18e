"""What a process gives up before it reads a stranger's media.

After OpenSSH's rlimit sandbox: where everything comes through a socket that is open already, no
file, no connection and no process is ever opened again.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import time

import av
import av._core

from stream.flow import bare_process

MEMORY = 1 << 30
"""Bytes of address space, some 200 MB of which are FFmpeg and Python: enough for 4K."""

STUCK_S = 20
"""Seconds of processor time in which nothing is read: more, and a decoder runs in a circle."""

FILES = 64
"""Descriptors of a reader that opens addresses itself."""


def give_up(*, opens: bool, threads: bool) -> None:
    """Keep only what reading takes; nothing of it can be had back.

    Args:
        opens: whether addresses are still opened here.
        threads: whether FFmpeg needs one of its own, as it does for ``udp``. Without, nothing is
            forked either, but for root, whom the system does not limit.
    """
    # FFmpeg would have a thread for each processor.
    ctypes.CDLL(av._core.__file__).av_cpu_force_count(1)
    limits = {resource.RLIMIT_AS: MEMORY, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    limits[resource.RLIMIT_NOFILE] = FILES if opens else 0
    if not threads:
        limits[resource.RLIMIT_NPROC] = 0
    bare_process.give_up(limits)


class Watchdog:
    """Ends the process when it has used ``STUCK_S`` of processor time without being fed."""

    def __init__(self) -> None:
        self._fed = 0.0
        self.feed()

    def feed(self) -> None:
        """Something was read."""
        now = time.monotonic()
        if now - self._fed < 1:
            return
        self._fed = now
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        until = int(time.process_time()) + STUCK_S
        if hard != resource.RLIM_INFINITY:
            until = min(until, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (until, hard))
