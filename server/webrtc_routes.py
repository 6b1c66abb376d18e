"""HTTP for WHEP and WHIP: offers in, answers out, peers counted and ended."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Literal, Protocol

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from server.webrtc_peer import MAX_SDP, OfferError, Peer, UnsupportedOfferError
from server.whep import WhepPeer, watch
from server.whip import WhipSource, publish
from stream.feed import ORIGINAL, Feed

Action = Literal["play", "publish"]

SDP = "application/sdp"


class ProblemRoute(APIRoute):
    """Tells of errors as RFC 9457 problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with its errors put into words."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except OfferError as error:
                return problem(400, str(error))
            except UnsupportedOfferError as error:
                return problem(422, str(error))
            except RequestValidationError as error:
                first = error.errors()[0]
                return problem(400, f"{first['loc'][-1]}: {first['msg']}")
            except HTTPException as error:
                return problem(error.status_code, str(error.detail), error.headers)

        return guarded


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An RFC 9457 problem document."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, headers, "application/problem+json")


class Authorise(Protocol):
    """Decides who may do what; refuses with an ``HTTPException``."""

    def __call__(self, request: Request, session: str, action: Action, /) -> None:
        """Return if the request may ``action`` in ``session``."""


class Ingest(Protocol):
    """Takes a publisher for a session."""

    def __call__(self, session: str, source: WhipSource, /) -> Awaitable[None]:
        """Take the source over; it is read by the callee and closed when its peer ends.

        Raises:
            KeyError: if there is no such session.
            HTTPException: if the session cannot take a publisher now.
        """


class Peers:
    """The WebRTC peers of all sessions, each forgotten when it ends.

    Args:
        most: how many there may be at once.
        ice_servers: URLs of STUN or TURN servers.
    """

    def __init__(self, most: int = 100, ice_servers: Collection[str] = ()) -> None:
        self.most = most
        self.ice_servers = ice_servers
        self._peers: dict[str, tuple[str, Action, Peer]] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._coming = 0

    def __len__(self) -> int:
        return len(self._peers) + self._coming

    async def admit(self, session: str, action: Action, make: Callable[[], Awaitable[Peer]]) -> str:
        """Set up a peer, if there is room; returns the name by which it can be ended.

        Raises:
            HTTPException: 503 if there is no room.
        """
        if len(self) >= self.most:
            raise HTTPException(503, f"there are {self.most} WebRTC peers already; try again later")
        self._coming += 1  # counted while it is set up, or a rush would get past the limit
        try:
            peer = await make()
        finally:
            self._coming -= 1
        name = secrets.token_urlsafe(16)
        self._peers[name] = (session, action, peer)
        task = asyncio.create_task(self._forget(name, peer))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return name

    def find(self, session: str, action: Action, name: str) -> Peer:
        """A peer by its name.

        Raises:
            HTTPException: 404 if there is none.
        """
        known = self._peers.get(name)
        if known is None or known[:2] != (session, action):
            raise HTTPException(404, "there is no such WebRTC peer; it may have ended")
        return known[2]

    async def aclose(self) -> None:
        """End all peers."""
        peers = [peer for _, _, peer in self._peers.values()]
        await asyncio.gather(*(peer.aclose() for peer in peers))
        if self._watching:
            await asyncio.wait(self._watching)

    async def _forget(self, name: str, peer: Peer) -> None:
        await peer.closed.wait()
        self._peers.pop(name, None)


def webrtc_router(
    feeds: Callable[[str], Feed],
    ingest: Ingest,
    authorise: Authorise,
    peers: Peers,
) -> APIRouter:
    """Routes below ``/sessions/{id}`` for viewers (``whep``) and publishers (``whip``).

    Args:
        feeds: the feed of a session; raises ``KeyError`` where there is none.
        ingest: takes a publisher over.
        authorise: called before anything else.
        peers: holds the peers; closed by its owner when the daemon ends.
    """
    router = APIRouter(route_class=ProblemRoute)

    @router.post("/sessions/{session}/whep", status_code=201)
    async def play(session: str, request: Request, track: str | None = None) -> Response:
        authorise(request, session, "play")
        feed = _known(feeds, session)
        chosen = _chosen(feed, track)
        offer = await _offer(request)
        made: list[WhepPeer] = []

        async def make() -> Peer:
            made.append(await watch(feed, chosen, offer, ice_servers=peers.ice_servers))
            return made[0]

        return _created(request, await peers.admit(session, "play", make), made[0])

    @router.post("/sessions/{session}/whip", status_code=201)
    async def take(session: str, request: Request) -> Response:
        authorise(request, session, "publish")
        offer = await _offer(request)
        made: list[WhipSource] = []

        async def make() -> Peer:
            source = await publish(offer, ice_servers=peers.ice_servers)
            try:
                await ingest(session, source)
            except BaseException:
                await source.aclose()
                raise
            made.append(source)
            return source

        try:
            name = await peers.admit(session, "publish", make)
        except KeyError:
            raise HTTPException(404, f"there is no session '{session}'") from None
        return _created(request, name, made[0])

    @router.put("/sessions/{session}/whep/{name}/track", status_code=204)
    async def select(session: str, name: str, track: str, request: Request) -> Response:
        authorise(request, session, "play")
        peer = peers.find(session, "play", name)
        assert isinstance(peer, WhepPeer)
        peer.select(_chosen(_known(feeds, session), track))
        return Response(status_code=204)

    _add_resource(router, "whep", "play", authorise, peers)
    _add_resource(router, "whip", "publish", authorise, peers)
    return router


def _add_resource(
    router: APIRouter, path: str, action: Action, authorise: Authorise, peers: Peers
) -> None:
    """What can be done with an endpoint and its resources besides posting offers."""
    endpoint = f"/sessions/{{session}}/{path}"
    resource = f"{endpoint}/{{name}}"

    @router.options(endpoint)
    async def options(session: str) -> Response:
        headers = {"Accept-Post": SDP, "Allow": "OPTIONS, POST"}
        return Response(status_code=204, headers=headers)

    @router.delete(resource)
    async def end(session: str, name: str, request: Request) -> Response:
        authorise(request, session, action)
        await peers.find(session, action, name).aclose()
        return Response(status_code=200)

    @router.patch(resource)
    async def trickle(session: str, name: str, request: Request) -> Response:
        # All our candidates are in the answer, and the peer's own checks show where it is.
        detail = "candidates are not trickled and ICE is not restarted: post a new offer"
        raise HTTPException(405, detail, {"Allow": "DELETE, OPTIONS"})

    @router.options(resource)
    async def resource_options(session: str, name: str) -> Response:
        return Response(status_code=204, headers={"Allow": "DELETE, OPTIONS"})


async def _offer(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != SDP:
        raise HTTPException(415, f"the offer must be {SDP}", {"Accept-Post": SDP, "Accept": SDP})
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_SDP:
            raise HTTPException(413, "the offer is longer than 64 KiB")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPException(400, "the offer is not text in UTF-8") from None


def _known(feeds: Callable[[str], Feed], session: str) -> Feed:
    try:
        return feeds(session)
    except KeyError:
        raise HTTPException(404, f"there is no session '{session}'") from None


def _chosen(feed: Feed, track: str | None) -> str:
    """The track asked for; the first dub if none is, or the original where nothing is dubbed."""
    if track is None:
        return next((name for name in feed.tracks if name != ORIGINAL), ORIGINAL)
    if track not in feed.tracks:
        raise HTTPException(404, f"there is no track '{track}'; there is {', '.join(feed.tracks)}")
    return track


def _created(request: Request, name: str, peer: Peer) -> Response:
    headers = {"Location": f"{request.url.path.rstrip('/')}/{name}", "ETag": f'"{name[:8]}"'}
    return Response(peer.answer, 201, headers, media_type=SDP)
