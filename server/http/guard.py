"""What every route checks first: does the session exist, and may the client do this?"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from server.access import check
from server.problems import Problem
from server.sessions.daemon import Daemon
from server.sessions.running import RunningSession
from server.tokens import Right


def find(daemon: Daemon, id_: str) -> RunningSession:
    """The session of that name.

    Raises:
        Problem: 404, if it does not exist.
    """
    session = daemon.sessions.get(id_)
    if session is None:
        raise Problem(404, f"there is no session '{id_[:64]}'")
    return session


def guarded(daemon: Daemon, right: Right) -> type[APIRoute]:
    """Routes that take a right, of the session in their path if there is one.

    FastAPI reads and checks bodies before it calls a route; strangers are refused before that.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def permitted(request: Request) -> Response:
                permit(
                    daemon, request, right, daemon.sessions.get(request.path_params.get("id", ""))
                )
                return await handle(request)

            return permitted

    return Guarded


def permit(daemon: Daemon, request: Request, right: Right, session: RunningSession | None) -> None:
    """Check that a request is authorised.

    Raises:
        Denied: if it is not.
    """
    check(request, right, session, daemon.tokens)
