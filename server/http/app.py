"""The HTTP side of the daemon: sessions, health, metrics, and the ways into each session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware

from server.access import Denied, outside, wrong
from server.http import problems
from server.http.body_limit import BodyLimit
from server.http.documentation import DocumentationGuard
from server.http.exposure import KnownHost
from server.http.guard import find, guarded, permit
from server.http.problems import problem_response
from server.http.view import View
from server.problems import Problem
from server.sessions.daemon import APP, Daemon, Taken
from server.sessions.description import SessionDescription
from server.sessions.spec import SessionSpec, SpecError, check_languages
from server.sessions.terms import Inquiries, Terms

WEB = Path(__file__).parents[1] / "web"

SECURITY = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; worker-src 'self' "
    "blob:; connect-src 'self'; img-src 'self' data:; frame-ancestors 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
PUBLISHING = SECURITY | {"Permissions-Policy": "camera=(self), microphone=(self), geolocation=()"}
"""The one page that films and records."""


ABOUT = """Live dubbing: create sessions, publish into them, watch them.

Two doors are WebSockets, which this page cannot show; both speak `livedub.v1`, described in
`docs/protocols/websocket.md`:

* `ws://HOST/sessions/ID/publish` takes speech, with the session's key;
* `ws://HOST/sessions/ID/listen` gives the dub's sound and events (`transcript`,
  `translation`, `dub`), with `?track=` and `?format=pcm_s16le|pcm_f32le|opus|none`.

RTMP publishers connect to `rtmp://HOST/live/KEY`. Refusals are problem documents (RFC 9457) whose
`detail` is one sentence.
"""

KEPT_ENDED = 16
"""How many ended sessions can still be inspected."""


class Created(BaseModel):
    """A session that was created, with its secrets."""

    id: str
    key: str
    play_token: str | None
    rtmp_path: str
    session: SessionDescription


def create_app(daemon: Daemon, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The application for a running daemon; whoever started the daemon closes it.

    Args:
        daemon: whose sessions it shows.
        routers: further ways into the sessions.
    """
    # The API's documentation is served from here, not from a CDN: there may be no internet access.
    app = FastAPIOffline(
        title="livedub",
        description=ABOUT,
        version="1",
        redoc_url=None,
        favicon_url="/web/icon.svg",
    )
    problems.install(app)

    @app.exception_handler(Denied)
    async def denied(request: Request, error: Denied) -> JSONResponse:
        if wrong(error):
            host = request.client.host if request.client else None
            await daemon.refusals.wrong(host, request.url.path)
        return problem_response(error.status, error.detail, error.headers)

    serve = daemon.config.serve
    app.add_middleware(BodyLimit, limit=64 * 1024)
    if serve.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=serve.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "Range"],
            expose_headers=["Location", "Link", "ETag", "Date"],
        )
    if not serve.guarded:
        app.add_middleware(KnownHost, names=[serve.host, *serve.names])
    app.add_middleware(DocumentationGuard, tokens=daemon.tokens, refusals=daemon.refusals)
    app.include_router(_sessions(daemon))
    app.include_router(_control(daemon))
    app.include_router(_operation(daemon))
    for router in routers:
        app.include_router(router)
    _pages(app)
    return app


def _sessions(daemon: Daemon) -> APIRouter:
    """What anybody may ask of sessions, and is told as far as it is for them."""
    router = APIRouter(prefix="/sessions", tags=["sessions"])

    @router.get("")
    async def list_sessions(request: Request) -> list[SessionDescription]:
        """The sessions, without their secrets.

        With a daemon's token set, strangers are told of those that anybody may watch, and what
        failed in words is for that token only.
        """
        view = View(daemon, request)
        shown = [view.of(session) for session in daemon.sessions.values()]
        await view.settle()
        return [one for one in shown if one is not None]

    @router.get("/{id}", responses={404: {}})
    async def show_session(id: str, request: Request) -> SessionDescription:
        """One session; see the list."""
        view, session = View(daemon, request), daemon.sessions.get(id)
        shown = None if session is None else view.of(session)
        if shown is None:
            permit(daemon, request, "play", session)
            shown = find(daemon, id).describe().for_strangers()
        await view.settle()
        return shown

    return router


def _control(daemon: Daemon) -> APIRouter:
    """What takes the right to control, which is asked for before a request's body is read."""
    router = APIRouter(
        prefix="/sessions", tags=["sessions"], route_class=guarded(daemon, "control")
    )
    terms = Terms(daemon.config)
    names = Inquiries(terms)

    @router.post("", status_code=201, responses={409: {}, 422: {}, 503: {}})
    async def create_session(spec: SessionSpec, request: Request, response: Response) -> Created:
        """Start a session; only this response shows its key."""
        if not daemon.ready:
            raise Problem(503, "the daemon is shutting down and accepts no more sessions")
        await daemon.forget(KEPT_ENDED)
        _check_room(daemon)
        try:
            asked = await names.checked(spec)
            await asyncio.to_thread(check_languages, asked, daemon.config)
            _check_room(daemon)  # others may have come meanwhile; from here on nothing waits
            session = daemon.create(asked, terms.reach)
        except SpecError as error:
            raise Problem(422, str(error)) from None
        except Taken as error:
            raise Problem(409, str(error)) from None
        response.headers["Cache-Control"] = "no-store"
        response.headers["Location"] = outside(request, f"/sessions/{session.id}")
        return Created(
            id=session.id,
            key=session.key,
            play_token=session.play_token,
            rtmp_path=f"/{APP}/{session.key}",
            session=session.describe(),
        )

    @router.delete("/{id}", status_code=204, responses={404: {}})
    async def end_session(id: str, drain: bool = True) -> None:
        """End a session; with ``drain``, everything received so far is dubbed and played first."""
        find(daemon, id)
        await daemon.remove(id, drain=drain)

    return router


def _check_room(daemon: Daemon) -> None:
    most = daemon.config.serve.max_sessions
    if daemon.running >= most:
        raise Problem(503, f"there are {most} sessions already: end one first")


def _operation(daemon: Daemon) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @router.get("/readyz", responses={503: {}})
    async def ready() -> dict[str, str]:
        """The daemon accepts sessions; degraded, where models are away that should be there."""
        if not daemon.ready:
            raise Problem(503, "the daemon is starting or shutting down")
        away = [one.kind for one in daemon.standing if one.failure is not None]
        if away:
            return {"status": "degraded", "away": ", ".join(away)}
        return {"status": "ready"}

    @router.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """For Prometheus."""
        permit(daemon, request, "control", None)
        return Response(daemon.metrics.text(), media_type="text/plain; version=0.0.4")

    return router


def _pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def player() -> FileResponse:
        return FileResponse(WEB / "index.html", headers=SECURITY)

    @app.get("/publish", include_in_schema=False)
    async def publisher() -> FileResponse:
        return FileResponse(WEB / "publish.html", headers=PUBLISHING)

    @app.get("/operate", include_in_schema=False)
    async def operator() -> FileResponse:
        return FileResponse(WEB / "operate.html", headers=SECURITY)

    app.mount("/web", StaticFiles(directory=WEB), name="web")
