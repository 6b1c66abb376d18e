"""The WebRTC peers of a daemon: counted, found by name, forgotten when they close."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Literal

from aiortc import RTCIceServer

from server.limits import Pace, Places
from server.problems import Problem
from server.webrtc.ice_servers import SharedSecret, current
from server.webrtc.peer import Peer

Action = Literal["play", "publish"]
"""What a peer does in its session."""

ACTIONS: tuple[Action, ...] = ("play", "publish")

OFFERS_AT_ONCE, OFFERS_PER_SECOND = 60, 4.0
"""Offers that one client may make: a room full of viewers behind one address, then a steady few."""


class Peers:
    """The WebRTC peers of all sessions, each forgotten when it ends.

    Args:
        places: how many may watch, and how many publish; 100 of each unless given.
        ice_servers: STUN or TURN servers.
        offers: how often a client may make one.
        addresses: by which the daemon is reached beside its own.
    """

    def __init__(
        self,
        places: Mapping[Action, Places] | None = None,
        ice_servers: Collection[RTCIceServer | SharedSecret] = (),
        offers: Pace | None = None,
        addresses: Collection[str] = (),
    ) -> None:
        self._ice_servers = ice_servers
        self.addresses = addresses
        self._places = places or {"play": Places(100), "publish": Places(100)}
        self._offers = offers or Pace(OFFERS_AT_ONCE, OFFERS_PER_SECOND)
        self._peers: dict[str, tuple[str, Action, Peer]] = {}
        self._watching: set[asyncio.Task[None]] = set()

    @property
    def ice_servers(self) -> list[RTCIceServer]:
        """STUN or TURN servers, with credentials for whoever comes now."""
        return current(self._ice_servers)

    def __len__(self) -> int:
        return len(self._peers)

    async def admit(
        self, session: str, action: Action, host: str | None, make: Callable[[], Awaitable[Peer]]
    ) -> str:
        """Set up a peer, if there is room; returns the name by which it can be ended.

        Publishers have shown their key by now, and do not compete with viewers for a place.

        Raises:
            Problem: 503 if there is no room, 429 if the client makes too many offers.
        """
        if wait := self._offers.wait(host, asyncio.get_running_loop().time()):
            headers = {"Retry-After": str(math.ceil(wait))}
            raise Problem(429, "there are too many offers from your address; wait a bit", headers)
        # Taken while it is set up, or a rush would get past the limit.
        give_back = self._places[action].take(host)
        try:
            peer = await make()
        except BaseException:
            give_back()
            raise
        name = secrets.token_urlsafe(16)
        self._peers[name] = (session, action, peer)
        task = asyncio.create_task(self._forget(name, peer, give_back))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return name

    def find(self, session: str, action: Action, name: str) -> Peer:
        """A peer by its name.

        Raises:
            Problem: 404 if there is none.
        """
        known = self._peers.get(name)
        if known is None or known[:2] != (session, action):
            raise Problem(404, "there is no such WebRTC peer; it may have ended")
        return known[2]

    async def dismiss(self, session: str, action: Action) -> None:
        """End the peers that do one thing in a session."""
        found = [peer for of, act, peer in self._peers.values() if (of, act) == (session, action)]
        await asyncio.gather(*(peer.aclose() for peer in found))

    async def aclose(self) -> None:
        """End all peers."""
        peers = [peer for _, _, peer in self._peers.values()]
        await asyncio.gather(*(peer.aclose() for peer in peers))
        if self._watching:
            await asyncio.wait(self._watching)

    async def _forget(self, name: str, peer: Peer, give_back: Callable[[], None]) -> None:
        await peer.closed.wait()
        give_back()
        self._peers.pop(name, None)
