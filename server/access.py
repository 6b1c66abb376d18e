"""Who may do what: bearer tokens, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from starlette.requests import HTTPConnection

from server.problems import Problem
from stream.live.source import Connection

Right = Literal["play", "publish", "control"]


class Keyed(Protocol):
    """A session, as far as access to it goes."""

    key: str
    """What publishers must present."""
    play_token: str | None
    """What viewers must present, if anything."""


class Denied(Problem):
    """Credentials are missing (status 401) or wrong (403)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail, {"WWW-Authenticate": "Bearer"} if status == 401 else None)


def wrong(problem: Problem) -> bool:
    """Whether a refusal is due to a key or token that is not right."""
    return isinstance(problem, Denied) and problem.status == 403


Authorise = Callable[[HTTPConnection, str, Right], None]
"""Lets a client do something in the session of that name; raises ``Denied`` if it may not."""

Admit = Callable[[str, Connection], Awaitable[None]]
"""Lets a publisher into the session of that name.

Raises ``Problem`` with the reason if it takes none now, and ``KeyError`` if there is no such
session.
"""


def shown(connection: HTTPConnection) -> str | None:
    """The token that a request presents, as a bearer or as ``?token=`` without headers."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return connection.query_params.get("token")


def outside(connection: HTTPConnection, path: str) -> str:
    """A path as the client knows it, where a proxy says below which path it serves the daemon."""
    prefix = connection.headers.get("x-forwarded-prefix", "").rstrip("/")
    return f"{prefix}{path}" if re.fullmatch(r"(/[\w.~-]+)+", prefix) else path


def same(given: str | None, wanted: str) -> bool:
    """Whether a secret is right, compared in constant time."""
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def ticket(secret: str) -> str:
    """What shows that a viewer has presented a token, where it must be part of every address.

    Stock players ask for the segments of a playlist without header or query. The ticket stands in
    the path, where relative addresses keep it; it gives the right to play and tells no secret.
    """
    return hmac.new(secret.encode(), b"play", hashlib.sha256).hexdigest()[:32]


def check(
    connection: HTTPConnection, right: Right, session: Keyed | None, token: str | None
) -> None:
    """Check a request's right; the daemon's own token gives every right.

    A path that holds a ``ticket`` gives the right to play.

    Args:
        connection: of the request.
        right: that it needs.
        session: that it is about; ``None`` for the daemon.
        token: the daemon's; ``None`` where control is open.

    Raises:
        Denied: if it may not.
    """
    if right == "control" or session is None:
        wanted = token
    else:
        wanted = session.play_token if right == "play" else session.key
    if wanted is None:
        return
    held = connection.path_params.get("ticket")
    if held is not None and right == "play":
        if same(held, ticket(wanted)):
            return
        raise Denied(403, "the address is not valid any more: open the playlist with the token")
    given = shown(connection)
    if same(given, wanted) or (token is not None and same(given, token)):
        return
    if given is None:
        raise Denied(401, f"this needs a bearer token for the right to {right}")
    raise Denied(403, f"the token does not give the right to {right}")


def peer_name(address: Any) -> str:
    """A socket's other end as people write it: ``host:port``, a host of IPv6 in brackets."""
    if not isinstance(address, tuple) or len(address) < 2:
        return "an unknown host"
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
