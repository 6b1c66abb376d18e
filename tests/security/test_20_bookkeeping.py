"""The limit of sessions holds for requests that come together, and ending twice is no fault."""

from __future__ import annotations

import asyncio

from tests.helpers.daemons import served


async def test_twelve_at_once_for_two_places() -> None:
    async with served("serve.max_sessions=2", "serve.hosts=['*']") as it:
        asked = [
            it.http.post("/sessions", json={"source": "rtmp://127.0.0.1:9/live/a", "hls": False})
            for _ in range(12)
        ]
        codes = [answer.status_code for answer in await asyncio.gather(*asked)]
        assert (codes.count(201), codes.count(503)) == (2, 10)
        assert it.daemon.running == 2


async def test_what_cannot_be_pushed_to_makes_no_session() -> None:
    async with served("serve.hosts=['*']") as it:
        for url in ("http://1.1.1.1/x", "rtsp://1.1.1.1/x", "file:///x"):
            refused = await it.http.post("/sessions", json={"outputs": [{"url": url}]})
            assert refused.status_code == 422
        assert not it.daemon.sessions


async def test_ended_twice_at_once() -> None:
    async with served() as it:
        assert (await it.http.post("/sessions", json={"id": "a"})).status_code == 201
        ends = [it.http.delete(f"/sessions/a?drain={drain}") for drain in (True, False, False)]
        codes = {answer.status_code for answer in await asyncio.gather(*ends)}
        assert codes <= {204, 404}
        again = await it.http.post("/sessions", json={"id": "a"})
        assert again.status_code == 201
        assert 'session="b"' not in it.daemon.metrics.text().decode()
