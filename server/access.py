"""Who may do what: bearer tokens, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol

from annotated_types import Len
from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import HTTPConnection

from server.problems import Problem
from stream.live.source import Connection

Right = Literal["play", "publish", "control"]


class Keyed(Protocol):
    """A session, as far as access to it goes."""

    id: str
    """Its name."""
    key: str
    """What publishers must present."""
    play_token: str | None
    """What viewers must present, if anything."""


class Grant(BaseModel):
    """A token that the operator has given out, known by its SHA-256 alone.

    Attributes:
        sha256: of the token, as hexadecimal digits.
        rights: that it gives; ``control`` gives all.
        sessions: names of those that it is for; ``None`` for all, and for creating them.
        expires: when it ends, with its time zone.
    """

    model_config = {"extra": "forbid", "frozen": True}
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rights: Annotated[list[Right], Len(1, 3)]
    sessions: list[str] | None = None
    expires: AwareDatetime | None = None

    def gives(self, token: str, right: Right, session: Keyed | None) -> bool:
        """Whether a token is this one, and gives a right now."""
        known = same(hashlib.sha256(token.encode()).hexdigest(), self.sha256)
        right_given = right in self.rights or "control" in self.rights
        of_session = self.sessions is None or (session is not None and session.id in self.sessions)
        lasts = self.expires is None or datetime.now(UTC) < self.expires
        return known and right_given and of_session and lasts


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


def viewer_token(secret: str, session: str, until: int) -> str:
    """A token that lets its holder play one session for some time.

    It is void once the session has another ``play_token``.

    Args:
        secret: the session's ``play_token``.
        session: its name.
        until: Unix time at which it ends.
    """
    code = hmac.new(secret.encode(), f"view {session} {until}".encode(), hashlib.sha256)
    return f"v1.{until}.{code.hexdigest()}"


def is_viewer_token(given: str, secret: str, session: str) -> bool:
    """Whether a token is one of ``viewer_token`` that has not ended."""
    until = re.match(r"v1\.(\d{1,12})\.", given)
    if until is None or int(until[1]) <= time.time():
        return False
    return same(given, viewer_token(secret, session, int(until[1])))


def _watches(given: str | None, right: Right, session: Keyed | None) -> bool:
    """Whether a viewer's token is shown where one is enough."""
    if given is None or right != "play" or session is None or session.play_token is None:
        return False
    return is_viewer_token(given, session.play_token, session.id)


def check(
    connection: HTTPConnection,
    right: Right,
    session: Keyed | None,
    token: str | None,
    grants: Sequence[Grant] = (),
) -> None:
    """Check a request's right; the daemon's own token gives every right.

    A path that holds a ``ticket``, or a viewer's token, gives the right to play.

    Args:
        connection: of the request.
        right: that it needs.
        session: that it is about; ``None`` for the daemon.
        token: the daemon's; ``None`` where control is open, unless a grant gives it.
        grants: further tokens.

    Raises:
        Denied: if it may not.
    """
    if right == "control" or session is None:
        wanted = token
    else:
        wanted = session.play_token if right == "play" else session.key
    if wanted is None and not (
        (right == "control" or session is None) and any("control" in one.rights for one in grants)
    ):
        return
    held = connection.path_params.get("ticket")
    if held is not None and right == "play" and wanted is not None and session is not None:
        if same(held, ticket(wanted)) or _watches(held, right, session):
            return
        raise Denied(403, "the address is not valid any more: open the playlist with the token")
    given = shown(connection)
    if any(known is not None and same(given, known) for known in (wanted, token)):
        return
    if given is not None and any(one.gives(given, right, session) for one in grants):
        return
    if _watches(given, right, session):
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
