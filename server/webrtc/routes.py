"""HTTP for WHEP and WHIP: offers in, answers out, peers counted and ended."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from server.access import Admit, Authorise, outside, peer_name
from server.problems import Problem
from server.webrtc.ice_servers import ice_links
from server.webrtc.peer import MAX_SDP_BYTES, Peer
from server.webrtc.peers import Action, Peers
from server.webrtc.reach import announced
from server.webrtc.whep import WhepPeer, watch
from server.webrtc.whip import WhipSource, publish
from stream.live.feed import ORIGINAL, Feed

SDP = "application/sdp"

NOT_KEPT = {"Cache-Control": "no-store"}
"""Answers may hold credentials."""

_log = logging.getLogger(__name__)

Sounds = Annotated[Sequence[str], Query()]
"""``track`` in the query, as often as there are audio sections to fill."""


def webrtc_router(
    feeds: Callable[[str], Feed],
    admit: Admit,
    authorise: Authorise,
    peers: Peers,
) -> APIRouter:
    """Routes below ``/sessions/{id}`` for viewers (``whep``) and publishers (``whip``).

    Args:
        feeds: the feed of a session; raises ``KeyError`` where there is none.
        admit: lets publishers in.
        authorise: called before anything else.
        peers: holds the peers; closed by its owner when the daemon ends.
    """
    router = APIRouter(tags=["WebRTC"])

    @router.post("/sessions/{session}/whep", status_code=201, summary="Watch by WHEP")
    async def play(session: str, request: Request, track: Sounds = ()) -> Response:
        """Post an SDP offer, get the answer; `Location` names what to delete at the end."""
        authorise(request, session, "play")
        feed = _known(feeds, session)
        if math.isinf(feed.due(0)):
            detail = "nobody has published to the session yet: try again in a while"
            raise Problem(409, detail, {"Retry-After": "2"})
        chosen = _chosen(feed, track)
        offer = await _offer(request)
        made: list[WhepPeer] = []

        async def make() -> Peer:
            made.append(await watch(feed, chosen, offer, ice_servers=peers.ice_servers))
            return made[0]

        name = await peers.admit(session, "play", _host(request), make)
        return _created(request, name, made[0], peers)

    @router.post("/sessions/{session}/whip", status_code=201, summary="Publish by WHIP")
    async def take(session: str, request: Request) -> Response:
        """Post an SDP offer with the session's key as bearer token, get the answer (RFC 9725)."""
        authorise(request, session, "publish")
        offer = await _offer(request)
        made: list[WhipSource] = []

        async def make() -> Peer:
            source = await publish(offer, ice_servers=peers.ice_servers)
            try:
                await admit(session, source)
            except BaseException:
                await source.aclose()
                raise
            _log.info("a publisher came by WebRTC from %s", peer_name(request.client))
            made.append(source)
            return source

        try:
            name = await peers.admit(session, "publish", _host(request), make)
        except KeyError:
            raise Problem(404, f"there is no session '{session}'") from None
        return _created(request, name, made[0], peers)

    @router.put(
        "/sessions/{session}/whep/{name}/track", status_code=204, summary="Switch a viewer's track"
    )
    async def select(session: str, name: str, track: Sounds, request: Request) -> Response:
        """Send another track, or several, over the connection that there is."""
        authorise(request, session, "play")
        peer = peers.find(session, "play", name)
        assert isinstance(peer, WhepPeer)
        peer.select(_chosen(_known(feeds, session), track))
        return Response(status_code=204)

    _add_resource(router, "whep", "play", feeds, authorise, peers)
    _add_resource(router, "whip", "publish", feeds, authorise, peers)
    return router


def _add_resource(
    router: APIRouter,
    path: str,
    action: Action,
    feeds: Callable[[str], Feed],
    authorise: Authorise,
    peers: Peers,
) -> None:
    """What can be done with an endpoint and its resources besides posting offers."""
    endpoint = f"/sessions/{{session}}/{path}"
    resource = f"{endpoint}/{{name}}"

    @router.options(endpoint, summary=f"How to ask for {path.upper()}")
    async def options(session: str, request: Request) -> Response:
        headers = {"Accept-Post": SDP, "Allow": "OPTIONS, POST"}
        # Whoever may not come in is told how to ask, but not the credentials of a TURN server.
        with contextlib.suppress(Problem):
            authorise(request, session, action)
            _known(feeds, session)
            headers |= ice_links(peers.ice_servers) | NOT_KEPT
        return Response(status_code=204, headers=headers)

    @router.delete(resource, summary=f"End a {path.upper()} connection")
    async def end(session: str, name: str, request: Request) -> Response:
        """Close the connection that `Location` named."""
        authorise(request, session, action)
        await peers.find(session, action, name).aclose()
        return Response(status_code=200)

    @router.patch(resource, include_in_schema=False)
    async def trickle(session: str, name: str, request: Request) -> Response:
        # All our candidates are in the answer, and the peer's own checks show where it is.
        detail = "candidates are not trickled and ICE is not restarted: post a new offer"
        raise Problem(405, detail, {"Allow": "DELETE, OPTIONS"})

    @router.options(resource, include_in_schema=False)
    async def resource_options(session: str, name: str) -> Response:
        return Response(status_code=204, headers={"Allow": "DELETE, OPTIONS"})


async def _offer(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != SDP:
        raise Problem(415, f"the offer must be {SDP}", {"Accept-Post": SDP, "Accept": SDP})
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_SDP_BYTES:
            raise Problem(413, "the offer is longer than 64 KiB")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "the offer is not text in UTF-8") from None


def _host(request: Request) -> str | None:
    return request.client.host if request.client else None


def _known(feeds: Callable[[str], Feed], session: str) -> Feed:
    try:
        return feeds(session)
    except KeyError:
        raise Problem(404, f"there is no session '{session}'") from None


def _chosen(feed: Feed, sounds: Sequence[str]) -> Sequence[str]:
    """What is asked for; the first dub if nothing is, or the original where nothing is dubbed."""
    for name in sounds:
        if name not in feed.sounds:
            known = ", ".join(feed.sounds)
            raise Problem(404, f"there is no track '{name}'; there is {known}")
    return sounds or [next((name for name in feed.tracks if name != ORIGINAL), ORIGINAL)]


def _created(request: Request, name: str, peer: Peer, peers: Peers) -> Response:
    location = outside(request, f"{request.url.path.rstrip('/')}/{name}")
    headers = {"Location": location, "ETag": f'"{name[:8]}"'}
    headers |= ice_links(peers.ice_servers) | NOT_KEPT
    answer = announced(peer.answer, peers.addresses)
    return Response(answer, 201, headers, media_type=SDP)
