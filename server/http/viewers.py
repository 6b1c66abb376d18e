"""Letting viewers in for a while, and sending them away."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import annotated_types as at
from fastapi import APIRouter, Response
from pydantic import BaseModel

from server.http.guard import find, guarded
from server.problems import Problem
from server.sessions.daemon import Daemon
from server.sessions.spec import Secret
from server.tokens import viewer_token

LONGEST_S = 31 * 86400


class Admission(BaseModel):
    """How long a viewer's token is to last."""

    model_config = {"extra": "forbid"}
    expires_in: Annotated[int, at.Ge(1), at.Le(LONGEST_S)] = 3600


class ViewerToken(BaseModel):
    """A token that gives the right to play one session until a Unix time."""

    token: str
    expires: int


class Protection(BaseModel):
    """What viewers are to show from now on."""

    model_config = {"extra": "forbid"}
    play_token: Secret


def viewers_router(daemon: Daemon, dismiss: Callable[[str], Awaitable[None]]) -> APIRouter:
    """Routes for who controls a session.

    Args:
        daemon: whose sessions these are.
        dismiss: sends a session's viewers away.
    """
    router = APIRouter(
        prefix="/sessions", tags=["sessions"], route_class=guarded(daemon, "control")
    )

    @router.post("/{id}/viewer-tokens", status_code=201, responses={404: {}, 409: {}})
    async def admit_viewer(id: str, response: Response, admission: Admission) -> ViewerToken:
        """Make a token for a viewer, which ends by itself, or with the session's play token."""
        session = find(daemon, id)
        if session.play_token is None:
            raise Problem(409, f"session '{id[:64]}' has no play_token: anybody may watch it")
        response.headers["Cache-Control"] = "no-store"
        until = int(time.time()) + admission.expires_in
        return ViewerToken(token=viewer_token(session.play_token, id, until), expires=until)

    @router.patch("/{id}", status_code=204, responses={404: {}})
    async def change_session(id: str, protection: Protection) -> None:
        """Give a session another play token: viewers' tokens end, who watches is sent away."""
        find(daemon, id).protect(protection.play_token)
        await dismiss(id)

    return router
