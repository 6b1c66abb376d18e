"""The doors to each session, put together: what viewers and publishers use over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import HTTPConnection

from server.access import check
from server.hls.audience import Audience
from server.hls.reload import LivePlaylists
from server.hls.routes import hls_router
from server.http.given_tokens import tokens_router
from server.http.operation import operation_router
from server.http.viewers import viewers_router
from server.limits import Clients, Pace, Places
from server.sessions.daemon import Daemon
from server.tokens import Right, is_viewer_token
from server.webrtc.ice_servers import ice_server
from server.webrtc.peers import ACTIONS, OFFERS_AT_ONCE, OFFERS_PER_SECOND, Peers
from server.webrtc.reach import keep_within, port_range
from server.webrtc.routes import webrtc_router
from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from server.websocket.publish import publish_router
from stream.errors import UserError
from stream.live.feed import Feed

PUBLISHERS = 4
"""Publishers for each session that there may be: those who come, besides the one who is in."""


MOST_PLAYERS = 100_000
"""Players of HLS that are counted."""


WAITING = 4
"""Requests of one player of HLS that wait at once: playlists and parts of picture and sound."""


class Doors:
    """The ways from HTTP and WebSocket into the sessions of a daemon.

    A protocol knows no more of a session than who may do what in it (``Authorise``), how to admit
    a publisher (``Admit``), and its feed.

    Args:
        daemon: whose sessions these are.

    Raises:
        UserError: for an invalid ICE server or range of ports.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        serve = daemon.config.serve
        clients = Clients(serve.proxies)
        places: dict[Right, Places] = {
            "play": Places(serve.max_viewers, serve.viewers_per_address, clients, "viewers"),
            "publish": Places(PUBLISHERS * serve.max_sessions, called="publishers"),
        }
        try:
            ice_servers = [ice_server(url) for url in serve.ice_servers]
        except ValueError as error:
            raise UserError(f"serve.ice_servers: {error}") from None
        offers = Pace(OFFERS_AT_ONCE, OFFERS_PER_SECOND, clients)
        addresses = [str(address) for address in serve.addresses]
        self._peers = Peers({act: places[act] for act in ACTIONS}, ice_servers, offers, addresses)
        if serve.udp_ports is not None:
            keep_within(asyncio.get_running_loop(), port_range(serve.udp_ports))
        self._programmes = Programmes(self._feed)
        players = Places(MOST_PLAYERS, serve.viewers_per_address, clients, "players")
        self._audience = Audience(players)
        waiting = Places(
            WAITING * serve.max_viewers,
            WAITING * serve.viewers_per_address,
            clients,
            "requests that wait for what is next",
        )
        gate = Gate(self._authorise, serve.origins, places, daemon.refusals)
        self.routers: list[APIRouter] = [
            webrtc_router(self._feed, daemon.admit, self._authorise, self._peers),
            listen_router(self._programmes, gate),
            publish_router(daemon.admit, gate),
            hls_router(
                self._folder, self._authorise, self._ticket, self._watched, self._playlists, waiting
            ),
            viewers_router(daemon, self._dismiss),
            operation_router(daemon),
            tokens_router(daemon, self._dismiss),
        ]

    async def aclose(self) -> None:
        """Disconnect everybody."""
        self._audience.close()
        await self._programmes.aclose()
        await self._peers.aclose()

    def _authorise(self, connection: HTTPConnection, name: str, right: Right) -> None:
        session = self._daemon.sessions.get(name)
        check(connection, right, session, self._daemon.tokens)
        if session is not None:
            session.check()

    def _feed(self, name: str) -> Feed:
        return self._daemon.sessions[name].feed

    async def _dismiss(self, name: str) -> None:
        """Send the viewers of a session away."""
        await self._peers.dismiss(name, "play")
        await self._programmes.dismiss(name)

    def _ticket(self, name: str, given: str) -> str | None:
        session = self._daemon.sessions.get(name)
        if session is None or session.play_token is None:
            return None
        # What a token that ends leads to ends with it.
        ends = is_viewer_token(given, session.play_token, name)
        return given if ends else self._daemon.tokens.ticket(session)

    def _watched(self, name: str, request: HTTPConnection) -> None:
        host = request.client.host if request.client else None
        player = request.headers.get("user-agent"), request.path_params.get("ticket")
        self._audience.note(self._feed(name), host, player)

    def _playlists(self, name: str) -> LivePlaylists | None:
        return self._daemon.sessions[name].playlists

    def _folder(self, name: str) -> Path:
        return self._daemon.sessions[name].folder
