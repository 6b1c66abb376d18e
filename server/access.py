"""Who may do what: bearer tokens, compared in constant time."""

from __future__ import annotations

import hmac
from typing import Literal, Protocol

from starlette.requests import HTTPConnection

from stream.errors import LivedubError

Right = Literal["play", "publish", "control"]


class Keyed(Protocol):
    """A session, as far as access to it goes."""

    key: str
    """What publishers show."""
    play_token: str | None
    """What viewers show, if they must."""


class Denied(LivedubError):
    """Nothing was shown (status 401), or the wrong thing (403)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def shown(connection: HTTPConnection) -> str | None:
    """The token of a request: a bearer token, or ``?token=`` where headers cannot be set."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return connection.query_params.get("token")


def same(given: str | None, wanted: str) -> bool:
    """Whether a secret is right, in time that tells nothing about it."""
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def check(
    connection: HTTPConnection, right: Right, session: Keyed | None, token: str | None
) -> None:
    """Let a request pass or not; the daemon's own token opens everything.

    Args:
        connection: of the request.
        right: what it wants to do.
        session: to which one.
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
    given = shown(connection)
    if same(given, wanted) or (token is not None and same(given, token)):
        return
    if given is None:
        raise Denied(401, f"this needs a bearer token for the right to {right}")
    raise Denied(403, f"the token does not give the right to {right}")
