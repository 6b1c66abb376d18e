"""Giving out tokens, and taking them back, while the daemon runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import annotated_types as at
from fastapi import APIRouter, Response
from pydantic import BaseModel

from server.http.guard import guarded
from server.problems import Problem
from server.sessions.daemon import Daemon
from server.sessions.spec import SessionName
from server.tokens import Grant, Right

MOST = 1000
"""Tokens that there may be at a time."""

LONGEST_S = 10 * 366 * 86400


class Request(BaseModel):
    """A token that is asked for; without ``sessions`` for all, without ``expires_in`` for good."""

    model_config = {"extra": "forbid"}
    rights: Annotated[list[Right], at.Len(1, 3)]
    sessions: Annotated[list[SessionName], at.Len(1, 100)] | None = None
    expires_in: Annotated[int, at.Ge(1), at.Le(LONGEST_S)] | None = None


class GivenToken(BaseModel):
    """A token that was given out, by a name that gives no right."""

    id: str
    rights: list[Right]
    sessions: list[str] | None
    expires: datetime | None

    @classmethod
    def of(cls, grant: Grant) -> GivenToken:
        """Without its hash."""
        return cls(id=grant.id, rights=grant.rights, sessions=grant.sessions, expires=grant.expires)


class NewToken(GivenToken):
    """The same with what is to be shown; it is told this once."""

    token: str


def tokens_router(daemon: Daemon, dismiss: Callable[[str], Awaitable[None]]) -> APIRouter:
    """Routes for who controls the daemon.

    Args:
        daemon: whose tokens they are.
        dismiss: sends a session's viewers away.
    """
    router = APIRouter(prefix="/tokens", tags=["tokens"], route_class=guarded(daemon, "control"))

    @router.get("")
    async def list_tokens() -> list[GivenToken]:
        """Those that have been given out, in the configuration or here."""
        return [GivenToken.of(grant) for grant in daemon.tokens.grants()]

    @router.post("", status_code=201, responses={409: {}, 507: {}})
    async def give_token(asked: Request, response: Response) -> NewToken:
        """Give out a token; only this response shows it."""
        if not daemon.tokens.guarded:
            raise Problem(409, "anybody may control this daemon: set serve.token first")
        if len(daemon.tokens.grants()) >= MOST:
            raise Problem(409, f"there are {MOST} tokens already: take some back")
        response.headers["Cache-Control"] = "no-store"
        ends = None
        if asked.expires_in is not None:
            ends = datetime.now(UTC) + timedelta(seconds=asked.expires_in)
        token, grant = daemon.tokens.make(asked.rights, asked.sessions, ends)
        await _save(daemon)
        return NewToken(token=token, **GivenToken.of(grant).model_dump())

    @router.delete("/{token}", status_code=204, responses={404: {}, 507: {}})
    async def take_back(token: str) -> None:
        """Take a token back; who watches a session that it was good for is sent away.

        Whoever may still watch comes back by the token that they have.
        """
        grant = daemon.tokens.revoke(token)
        if grant is None:
            raise Problem(404, f"there is no token '{token[:64]}'")
        for session in _watched_by(daemon, grant):
            await dismiss(session)
        await _save(daemon)

    return router


def _watched_by(daemon: Daemon, grant: Grant) -> list[str]:
    """The protected sessions whose viewers may have come by a token."""
    if grant.rights == ["publish"]:
        return []
    protected = [id_ for id_, one in daemon.sessions.items() if one.play_token is not None]
    return [id_ for id_ in protected if grant.sessions is None or id_ in grant.sessions]


async def _save(daemon: Daemon) -> None:
    try:
        await daemon.tokens.save()
    except OSError as error:
        reason = error.strerror or "the disk does not say why"
        detail = f"this holds until the daemon ends, but cannot be kept: {reason}"
        raise Problem(507, detail) from None
