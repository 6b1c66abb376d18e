"""Name servers and hubs that do not answer keep nobody waiting but those who named them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

import server.engines.pool
import server.sessions.terms
from server.config import load
from server.engines.pool import EnginePool
from stages.base import EngineError
from tests.helpers.daemons import served


@pytest.fixture(name="stuck")
def _stuck() -> Any:
    event = threading.Event()
    yield event
    event.set()


async def test_names(stuck: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.sessions.terms, "NAMES_S", 0.4)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: stuck.wait(20) or [])
    async with served() as it:
        made = await it.http.post("/sessions", json={"id": "a", "source": "publish"})
        assert made.status_code == 201
        asked = [
            asyncio.create_task(
                it.http.post("/sessions", json={"source": f"http://slow{n}.example/"})
            )
            for n in range(12)
        ]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await asyncio.to_thread(time.sleep, 0.01)
        assert (await it.http.get("/sessions/a/hls/none.m3u8")).status_code == 404
        assert time.monotonic() - began < 0.3, "the threads that serve HLS are free"
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} <= {422, 503}
        assert any("name server" in answer.json()["detail"] for answer in answers)


async def test_models(stuck: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None: ...

    def create(kind: str, name: str, **options: Any) -> Any:
        if options.get("beam_size") == 2:
            stuck.wait(20)
        return SimpleNamespace(aclose=nothing, recognise=nothing, embed=nothing)

    monkeypatch.setattr(server.engines.pool, "create", create)
    monkeypatch.setattr(server.engines.pool, "SileroDetector", SimpleNamespace)
    monkeypatch.setattr(server.engines.pool, "LOAD_S", 0.3)
    pool = EnginePool()
    slow = [
        asyncio.create_task(pool.source(load(assignments=["asr.beam_size=2"], environment={}), "s"))
        for _ in range(2)
    ]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await pool.source(load(environment={}), "quick")
        await asyncio.to_thread(int)
    for answer in await asyncio.gather(*slow, return_exceptions=True):
        assert isinstance(answer, EngineError) and "was not loaded within" in str(answer)
    await pool.aclose()
