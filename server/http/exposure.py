"""Whether the API may be reached without a token, and under which names it then answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from server.http.problems import problem_response
from server.sessions.options import ServeConfig
from stream.errors import UserError


def check_exposure(serve: ServeConfig) -> None:
    """Refuse to let everybody who reaches this machine make sessions on it, unless that is meant.

    Raises:
        UserError: if others than this machine could reach an API that asks for no token.
    """
    if serve.guarded or serve.open or _address(serve.host, loopback=True):
        return
    if serve.host.lower() == "localhost":
        return
    raise UserError(
        f"serve.host {serve.host} can be reached from other machines, and there is no serve.token: "
        "set one of at least 16 characters (LIVEDUB_SERVE_TOKEN), or serve.open to true if anybody "
        "may create sessions"
    )


class KnownHost:
    """ASGI middleware that answers to the daemon's own names alone.

    A web page can have its own name lead to this machine (DNS rebinding), and its browser then
    takes the daemon for a part of that page. What gives it away is the name that it asks for.
    Addresses are nobody's names, so any of them will do.

    Args:
        app: what is behind it.
        names: under which the daemon is known, besides localhost.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is for us."""
        if scope["type"] not in ("http", "websocket") or self._ours(HTTPConnection(scope)):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": "Unknown host"})
            return
        detail = "the host that was asked for is not one of serve.names: add it, or set serve.token"
        await problem_response(421, detail)(scope, receive, send)

    def _ours(self, connection: HTTPConnection) -> bool:
        given = connection.headers.get("host")
        if given is None:  # no browser
            return True
        host, colon, port = given.rpartition(":")
        name = host if colon and port.isdecimal() else given
        return name.lower().rstrip(".") in self._names or _address(name.strip("[]"))


def _address(host: str, *, loopback: bool = False) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or not loopback
