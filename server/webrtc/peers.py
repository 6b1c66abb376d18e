"""The WebRTC peers of a daemon: counted, found by name, forgotten when they close."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection
from typing import Literal

from aiortc import RTCIceServer

from server.problems import Problem
from server.webrtc.peer import Peer

Action = Literal["play", "publish"]
"""What a peer does in its session."""


class Peers:
    """The WebRTC peers of all sessions, each forgotten when it ends.

    Args:
        most: how many there may be at once.
        ice_servers: STUN or TURN servers.
    """

    def __init__(self, most: int = 100, ice_servers: Collection[RTCIceServer] = ()) -> None:
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
            Problem: 503 if there is no room.
        """
        if len(self) >= self.most:
            raise Problem(503, f"there are {self.most} WebRTC peers already; try again later")
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
            Problem: 404 if there is none.
        """
        known = self._peers.get(name)
        if known is None or known[:2] != (session, action):
            raise Problem(404, "there is no such WebRTC peer; it may have ended")
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
