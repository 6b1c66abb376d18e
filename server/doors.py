"""The doors to each session, put together: what viewers, publishers and other servers use."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from server.daemon import Daemon, Output, RunningSession


def routers(daemon: Daemon) -> list[APIRouter]:
    """The HTTP and WebSocket doors of a daemon."""
    return []


def outputs(session: RunningSession) -> Iterable[Output]:
    """Where a session goes beside its viewers."""
    return []
