"""What one client is told of the sessions."""

from __future__ import annotations

from fastapi import Request

from server.access import shown
from server.sessions.daemon import Daemon
from server.sessions.description import SessionDescription
from server.sessions.running import RunningSession


class View:
    """Sessions as they are for whoever has sent a request.

    Causes of failures may name paths, models and servers, so they are for who controls the daemon.
    Sessions that not everybody may watch are for who may watch them or publish into them.

    Args:
        daemon: whose sessions they are.
        request: with a token or without.
    """

    def __init__(self, daemon: Daemon, request: Request) -> None:
        self._daemon, self._request = daemon, request
        self._given = shown(request)
        self._all = not daemon.tokens.guarded or "control" in daemon.tokens.rights(
            self._given, None
        )
        self._known = self._all or self._given is None

    def of(self, session: RunningSession) -> SessionDescription | None:
        """A session, as far as it may be seen; ``None`` if it may not."""
        if self._all:
            return session.describe()
        rights = self._daemon.tokens.rights(self._given, session)
        self._known = self._known or bool(rights)
        if "control" in rights:
            return session.describe()
        if rights or session.play_token is None:
            return session.describe().for_strangers()
        return None

    async def settle(self) -> None:
        """Have whoever showed a token that is good for nothing wait, as one who guesses."""
        if not self._known:
            host = self._request.client.host if self._request.client else None
            await self._daemon.refusals.wrong(host, self._request.url.path)
