"""Who may read the documentation of the API: whoever may use it."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from server.access import shown
from server.http.problems import problem_response
from server.refusals import Refusals
from server.tokens import Tokens

PATHS = {"/docs", "/docs/oauth2-redirect", "/openapi.json"}


class DocumentationGuard:
    """ASGI middleware that asks for the daemon's token, if it has one.

    A browser asks its user for a name, which may be any, and a password, which is the token.

    Args:
        app: what is behind it.
        tokens: one with the right to control is asked for.
        refusals: told of wrong ones.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, refusals: Refusals) -> None:
        self._app, self._tokens, self._refusals = app, tokens, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may be read."""
        if scope["type"] == "http" and self._tokens.guarded and scope["path"] in PATHS:
            connection = HTTPConnection(scope)
            given = _password(connection) or shown(connection)
            if "control" not in self._tokens.rights(given, None):
                if given is not None:
                    host = connection.client.host if connection.client else None
                    await self._refusals.wrong(host, scope["path"])
                headers = {"WWW-Authenticate": 'Basic realm="livedub", charset="UTF-8"'}
                detail = "the documentation of the API needs the daemon's token, as the password"
                await problem_response(401, detail, headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _password(connection: HTTPConnection) -> str | None:
    scheme, _, coded = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(coded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return pair.partition(":")[2] or None
