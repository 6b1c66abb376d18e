"""What an operator does with a session that is on air: watch over it, and step in."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from server.http.guard import find, guarded
from server.problems import Problem
from server.sessions.daemon import Daemon


class Levels(BaseModel):
    """How loud a session is."""

    levels: dict[str, float] = Field(
        description="RMS since the last question, at most a second, in dBFS: of the original, and "
        "of each dub's voice alone. Empty at first: it is listened to while somebody asks."
    )


def operation_router(daemon: Daemon) -> APIRouter:
    """Routes for who controls a session.

    Args:
        daemon: whose sessions these are.
    """
    router = APIRouter(
        prefix="/sessions", tags=["operation"], route_class=guarded(daemon, "control")
    )

    @router.get("/{id}/levels", responses={404: {}})
    async def show_levels(id: str) -> Levels:
        """How loud the source and the dubs are; ask about once a second."""
        return Levels(levels=await find(daemon, id).monitor.levels())

    @router.get("/{id}/thumbnail", response_class=Response, responses={404: {}})
    async def show_thumbnail(id: str) -> Response:
        """The newest keyframe that viewers saw, as a JPEG 320 pixels wide."""
        picture = await find(daemon, id).monitor.thumbnail()
        if picture is None:
            raise Problem(404, f"session '{id[:64]}' has shown no picture yet")
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @router.put("/{id}/on-air", responses={404: {}, 409: {}})
    async def put_on_air(
        id: str, tracks: dict[str, Literal["dub", "original"]]
    ) -> dict[str, Literal["dub", "original"]]:
        """Mute the dubs of some tracks, or have them heard again; the answer names all tracks.

        `{"pt": "original"}` takes the original on air in place of the dub, at its full level and
        for all viewers and outputs of that track; `{"pt": "dub"}` takes it back. What is muted is
        dubbed all the same. It lasts until the session ends or starts again.
        """
        live = find(daemon, id).live
        for track in tracks:
            if track not in live.on_air:
                named = ", ".join(live.on_air)
                raise Problem(409, f"there is no dub '{track[:64]}' here, only {named}")
        for track, what in tracks.items():
            live.put_on_air(track, what)
        return live.on_air

    return router
