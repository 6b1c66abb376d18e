"""What every route checks first: does the session exist, and may the client do this?"""

from __future__ import annotations

from fastapi import Request

from server.access import Right, check
from server.problems import Problem
from server.sessions.daemon import Daemon
from server.sessions.running import RunningSession


def find(daemon: Daemon, id_: str) -> RunningSession:
    """The session of that name.

    Raises:
        Problem: 404, if it does not exist.
    """
    session = daemon.sessions.get(id_)
    if session is None:
        raise Problem(404, f"there is no session '{id_[:64]}'")
    return session


def permit(daemon: Daemon, request: Request, right: Right, session: RunningSession | None) -> None:
    """Check that a request is authorised.

    Raises:
        Denied: if it is not.
    """
    serve = daemon.config.serve
    check(request, right, session, serve.token, serve.tokens)
