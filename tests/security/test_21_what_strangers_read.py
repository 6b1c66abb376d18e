"""Strangers see that a session has failed, and not which paths, models and servers it names."""

from __future__ import annotations

from tests.helpers.daemons import served

TOKEN = "sixteen-characters-or-more"
CAUSE = "'/etc/shadow' cannot be loaded"


async def test_causes_are_told_to_the_token_alone() -> None:
    async with served(f"serve.token={TOKEN}", "serve.hosts=['*']") as it:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        push = {"url": "rtmp://127.0.0.1:9/live/key"}
        asked = {"id": "a", "play_token": "let-me-watch", "hls": False, "outputs": [push]}
        made = await it.http.post("/sessions", json=asked, headers=bearer)
        assert made.status_code == 201
        it.daemon.sessions["a"].error = CAUSE
        for path in ("/sessions", "/sessions/a"):
            strangers = await it.http.get(path)
            assert strangers.status_code == 200
            assert "shadow" not in strangers.text and "127.0.0.1:9" not in strangers.text
            assert '"failed"' in strangers.text
            own = await it.http.get(path, headers=bearer)
            assert "shadow" in own.text and "127.0.0.1:9" in own.text
