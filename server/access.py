"""Who may do what: bearer tokens, compared in constant time."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

from server.problems import Problem
from server.tokens import Keyed, Right, Tokens
from stream.live.connection import Connection
from stream.media.options import ANY, InputOptions

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


class Denied(Problem):
    """Credentials are missing (status 401) or wrong (403)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail, {"WWW-Authenticate": "Bearer"} if status == 401 else None)


def wrong(problem: Problem) -> bool:
    """Whether a refusal is due to a key or token that is not right."""
    return isinstance(problem, Denied) and problem.status == 403


Authorise: TypeAlias = "Callable[[HTTPConnection, str, Right], None]"
"""Lets a client do something in the session of that name; raises ``Denied`` if it may not."""

Admit = Callable[[str, Connection], Awaitable[None]]
"""Lets a publisher into the session of that name.

Raises ``Problem`` with the reason if it takes none now, and ``KeyError`` if there is no such
session.
"""


Choose = Callable[[str], tuple[InputOptions, str | None]]
"""Which sound of a publisher the session of that name dubs, and its language, if that is known."""


def whichever(session: str) -> tuple[InputOptions, str | None]:
    """A choice that is left to the container."""
    return ANY, None


SUBPROTOCOL = "bearer."
"""How a WebSocket's subprotocol begins that is a token: browsers can say nothing else of theirs."""


def shown(connection: HTTPConnection) -> str | None:
    """The token that a request presents: as a bearer, as a subprotocol, or as ``?token=``."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in connection.scope.get("subprotocols", ()):
        if name.startswith(SUBPROTOCOL):
            return unquote(name.removeprefix(SUBPROTOCOL))
    return connection.query_params.get("token")


def outside(connection: HTTPConnection, path: str) -> str:
    """A path as the client knows it, where a proxy says below which path it serves the daemon."""
    prefix = connection.headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{prefix}{path}" if re.fullmatch(r"(/[\w.~-]+)+", prefix) else path


def check(connection: HTTPConnection, right: Right, session: Keyed | None, tokens: Tokens) -> None:
    """Check a request's right; the daemon's own token gives every right.

    A path that holds a ticket gives the right to play.

    Args:
        connection: of the request.
        right: that it needs.
        session: that it is about; ``None`` for the daemon.
        tokens: that there are.

    Raises:
        Denied: if it may not.
    """
    needed = tokens.guarded
    if session is not None and right != "control":
        needed = right == "publish" or session.play_token is not None
    if not needed:
        return
    held = connection.path_params.get("ticket")
    if held is not None and right == "play" and session is not None:
        if tokens.is_ticket(held, session):
            return
        raise Denied(403, "the address is not valid any more: open the playlist with the token")
    given = shown(connection)
    if given is None:
        raise Denied(401, f"this needs a bearer token for the right to {right}")
    if right not in tokens.rights(given, session):
        raise Denied(403, f"the token does not give the right to {right}")


def peer_name(address: Any) -> str:
    """A socket's other end as people write it: ``host:port``, a host of IPv6 in brackets."""
    if not isinstance(address, tuple) or len(address) < 2:
        return "an unknown host"
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
