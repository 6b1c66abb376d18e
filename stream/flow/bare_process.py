"""Processes of their own that inherit next to nothing, and what they give up on top of that."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def start(
    code: str,
    end: socket.socket,
    inherited: Sequence[str],
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Run code in a process whose only descriptor is a socket.

    Args:
        code: in Python; its arguments are our paths of modules.
        end: of a pair; the process has it as its standard input.
        inherited: names of those of our variables that it gets; others may hold secrets.
        variables: further ones.

    Raises:
        OSError: if it cannot be started.
    """
    kept = {name: value for name in inherited if (value := os.environ.get(name)) is not None}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", code, *filter(None, sys.path)],
        stdin=end.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=kept | dict(variables or {}),
        start_new_session=True,  # Ctrl-C is for us
    )


def give_up(limits: Mapping[int, int]) -> None:
    """Gain no privileges, be seen by no other process, and keep to limits; for good.

    Args:
        limits: most of each resource of `resource`, as far as the system knows it.
    """
    libc = ctypes.CDLL(None)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
        libc.prctl(option, value, 0, 0, 0)  # unknown to other systems than Linux
    for which, most in limits.items():
        hard = resource.getrlimit(which)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # a system that has no such limit
            resource.setrlimit(which, (most, most))


def hide_memory() -> None:
    """Keep what this process knows from others of the same user, such as a reader taken over."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
