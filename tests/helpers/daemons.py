"""A daemon on scripted engines with all its doors, asked in this process without a network."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from server.config import load
from server.http.app import create_app
from server.http.doors import Doors
from server.outputs.make import outputs
from server.sessions.daemon import Daemon
from tests.helpers.scripted import ScriptedPool


@dataclass
class Served:
    """A daemon that has been started.

    Attributes:
        http: asks its API.
        app: what it asks.
    """

    daemon: Daemon
    http: httpx.AsyncClient
    app: FastAPI

    async def shown(self, session: str) -> dict[str, object]:
        """What the API says of a session."""
        answer = await self.http.get(f"/sessions/{session}")
        shown: dict[str, object] = answer.raise_for_status().json()
        return shown


@contextlib.asynccontextmanager
async def served(*settings: str, pool: ScriptedPool | None = None) -> AsyncIterator[Served]:
    """Run a daemon without RTMP, unless the settings ask for it."""
    config = load(assignments=("serve.rtmp_port=null", "serve.drain=1", *settings), environment={})
    daemon = Daemon(config, outputs)
    daemon.pool = pool or ScriptedPool(on_restart=daemon.metrics.restarted)
    doors = Doors(daemon)
    await daemon.start()
    app = create_app(daemon, doors.routers)
    transport = httpx.ASGITransport(app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield Served(daemon, http, app)
    finally:
        await daemon.aclose()
        await doors.aclose()
