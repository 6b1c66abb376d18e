"""What an operator does with a session that is on air: watch over it, and step in."""

from __future__ import annotations

from typing import Annotated, Literal

import annotated_types as at
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from server.http.guard import find, guarded
from server.problems import Problem
from server.sessions.daemon import Daemon
from server.sessions.live import LiveSession

MOST_TERMS = 500

Term = Annotated[str, at.MinLen(1), at.MaxLen(100)]
Glossary = Annotated[dict[Term, Term], at.MaxLen(MOST_TERMS)]


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
            _check_dub(live, track)
        for track, what in tracks.items():
            live.put_on_air(track, what)
        return live.on_air

    @router.get("/{id}/glossary/{track}", responses={404: {}})
    async def show_glossary(id: str, track: str) -> dict[str, str]:
        """Translation by term, of one dub."""
        live = find(daemon, id).live
        _check_dub(live, track, status=404)
        return dict(live.glossaries[track])

    @router.put("/{id}/glossary/{track}", responses={404: {}})
    async def change_glossary(id: str, track: str, terms: Glossary) -> dict[str, str]:
        """Replace the glossary of one dub, from the next utterance that is translated.

        It lasts until the session ends or starts again; `mt.glossary` is what it begins with.
        Engines that translate sound and not text keep to none.
        """
        live = find(daemon, id).live
        _check_dub(live, track, status=404)
        live.glossaries[track] = dict(terms)
        return terms

    return router


def _check_dub(live: LiveSession, track: str, status: int = 409) -> None:
    if track not in live.targets:
        named = ", ".join(live.targets)
        raise Problem(status, f"there is no dub '{track[:64]}' here, only {named}")
