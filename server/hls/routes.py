"""HLS over HTTP: the files of a session's folder, with what players and caches must know."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel

from server.access import Authorise, shown
from server.hls.master import below
from server.hls.reload import Directives, LivePlaylists, Place
from server.limits import Places

MOST_WAITING = 1000
"""Requests that may wait for what is next, where nothing else is said."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(m3u8|m4s|mp4|vtt)")
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt; charset=utf-8",
}
_FRESH = {"Cache-Control": "no-cache"}
_LASTING = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Segments never change, and no two have the same name."""

_UNKEPT = {"Cache-Control": "no-store"}
_LASTING_IN_PRIVATE = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Vary": "Authorization",
}
"""A cache that is shared would hand what one viewer paid for to whoever knows its name."""


class HlsTicket(BaseModel):
    """A ticket, which ends by itself; none where none is needed."""

    ticket: str | None


def content_type(name: str) -> str:
    """The media type of a file of HLS by its name.

    Raises:
        ValueError: for a name that no such file has.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name} is not the name of an HLS file")
    return _TYPES[name[name.rindex(".") :]]


def hls_router(
    folder_of: Callable[[str], Path],
    authorise: Authorise,
    ticket_of: Callable[[str, str], str | None] = lambda session, token: None,
    watched: Callable[[str, Request], None] = lambda session, request: None,
    live: Callable[[str], LivePlaylists | None] = lambda session: None,
    waiting: Places | None = None,
) -> APIRouter:
    """Routes that serve ``/sessions/{id}/hls/{name}``.

    A playlist that was asked for with ``?token=`` leads to ``/sessions/{id}/hls/{ticket}/{name}``,
    since players do not repeat the query of a playlist with what it names.

    Args:
        folder_of: the folder of a session; raises ``KeyError`` for one that does not exist.
        authorise: called before anything else.
        ticket_of: what stands in the path of who has shown a token for a session, if it is
            protected.
        watched: told of every playlist that is given out.
        live: a session's playlists, if players may wait for what is next in them.
        waiting: places of the requests that do.
    """
    places = waiting or Places(MOST_WAITING, called="waiting requests")
    router = APIRouter(tags=["HLS"])

    @router.head("/sessions/{session}/hls/{ticket}/{name}", include_in_schema=False)
    @router.get("/sessions/{session}/hls/{ticket}/{name}", include_in_schema=False)
    @router.head("/sessions/{session}/hls/{name}", include_in_schema=False)
    @router.get("/sessions/{session}/hls/{name}", summary="A file of the HLS rendition")
    async def file(session: str, name: str, request: Request) -> Response:
        """`master.m3u8` is where players begin; it names all others.

        Playlists take `_HLS_msn`, `_HLS_part` and `_HLS_skip` (RFC 8216bis): an answer waits until
        the playlist holds what is asked for, for at most three target durations.
        """
        authorise(request, session, "play")
        ticket = ticket_of(session, request.query_params.get("token", ""))
        protected = ticket is not None
        try:
            kind, path = content_type(name), folder_of(session) / name
        except (KeyError, ValueError):
            raise HTTPException(404, "there is no such HLS file") from None
        playlists = live(session) if request.method == "GET" else None
        place = partial(places.take, request.client.host if request.client else None)
        try:
            if name.endswith(".m3u8"):
                if request.method == "GET":
                    watched(session, request)
                text = await _playlist(path, playlists, request, place)
                if "token" in request.query_params and protected:
                    text = below(text, f"{ticket}/")
                headers = _UNKEPT if protected else _FRESH
                return Response(text, media_type=kind, headers=headers)
            if playlists is not None:
                await playlists.hinted(name, place)
            stat = await asyncio.to_thread(os.stat, path)
        except FileNotFoundError:
            raise HTTPException(404, "there is no such HLS file") from None
        headers = _LASTING_IN_PRIVATE if protected else _LASTING
        return FileResponse(path, media_type=kind, headers=headers, stat_result=stat)

    @router.post("/sessions/{session}/hls-tickets", status_code=201, responses={404: {}})
    async def give_ticket(session: str, request: Request, response: Response) -> HlsTicket:
        """What may stand in addresses instead of a token: `/sessions/ID/hls/TICKET/master.m3u8`."""
        authorise(request, session, "play")
        try:
            folder_of(session)
        except KeyError:
            raise HTTPException(404, "there is no such session") from None
        response.headers["Cache-Control"] = "no-store"
        return HlsTicket(ticket=ticket_of(session, shown(request) or ""))

    @router.options("/sessions/{session}/hls/{ticket}/{name}", include_in_schema=False)
    @router.options("/sessions/{session}/hls/{name}", include_in_schema=False)
    async def options(session: str, name: str) -> Response:
        return Response(status_code=204, headers={"Allow": "GET, HEAD, OPTIONS"})

    return router


async def _playlist(
    path: Path, playlists: LivePlaylists | None, request: Request, place: Place
) -> str:
    if playlists is not None:
        text = await playlists.text(path.name, Directives.of(request.query_params), place)
        if text is not None:
            return text
    # Read at once: a playlist may be replaced by a longer one at any moment.
    return await asyncio.to_thread(path.read_text)
