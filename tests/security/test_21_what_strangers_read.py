"""Strangers see that a session has failed, and not which paths, models and servers it names."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

from server.refusals import PAUSE_S
from tests.helpers.daemons import served

PLAY, KEY = "let-me-watch", "let-me-publish"
TOKEN = "sixteen-characters-or-more"
CAUSE = "'/etc/shadow' cannot be loaded"


async def test_causes_are_told_to_the_token_alone() -> None:
    async with served(f"serve.token={TOKEN}", "serve.hosts=['*']") as it:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        push = {"url": "rtmp://127.0.0.1:9/live/key"}
        asked = {"id": "a", "hls": False, "outputs": [push]}
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
        # Who only wants to watch is told that it failed, and no more.
        watching = await it.http.get("/sessions/a/hls/master.m3u8")
        assert watching.status_code == 503 and "shadow" not in watching.text


async def test_protected_sessions_are_told_to_who_may_use_them() -> None:
    async with served(f"serve.token={TOKEN}", "serve.max_sessions=9") as it:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        for name, more in (("open", {}), ("closed", {"play_token": PLAY, "key": KEY})):
            asked = {"id": name, "hls": False, **more}
            assert (await it.http.post("/sessions", json=asked, headers=bearer)).is_success

        async def listed(token: str | None = None) -> set[str]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = await it.http.get("/sessions", headers=headers)
            return {one["id"] for one in answer.json()}

        assert await listed() == {"open"}
        for token in (PLAY, KEY, TOKEN):
            assert await listed(token) == {"open", "closed"}
            headers = {"Authorization": f"Bearer {token}"}
            assert (await it.http.get("/sessions/closed", headers=headers)).status_code == 200
        there, not_there = [await it.http.get(f"/sessions/{name}") for name in ("closed", "no")]
        assert there.status_code == not_there.status_code == 401
        assert there.text == not_there.text

        began = time.monotonic()
        assert await listed("a-token-that-is-guessed") == {"open"}
        assert time.monotonic() - began >= PAUSE_S, "a guess takes its time"


async def test_bodies_of_strangers_are_not_read() -> None:
    async with served(f"serve.token={TOKEN}") as it:
        for method, path in (
            ("POST", "/sessions"),
            ("POST", "/sessions/a/viewer-tokens"),
            ("PATCH", "/sessions/a"),
            ("POST", "/tokens"),
        ):
            answer = await it.http.request(method, path, content=unread())
            assert answer.status_code == 401, (path, answer.text)
            bearer = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            own = await it.http.request(method, path, content=b"{", headers=bearer)
            assert own.status_code == 422, "it is read of others"


async def unread() -> AsyncIterator[bytes]:
    raise AssertionError("the body was read")
    yield b""


async def test_the_documentation_is_for_who_holds_the_token() -> None:
    async with served(f"serve.token={TOKEN}") as it:
        for path in ("/docs", "/openapi.json"):
            refused = await it.http.get(path)
            assert refused.status_code == 401 and "paths" not in refused.text
            assert refused.headers["WWW-Authenticate"].startswith("Basic")
            assert (await it.http.get(path, auth=("me", "wrong"))).status_code == 401
            assert (await it.http.get(path, auth=("me", TOKEN))).status_code == 200
            bearer = {"Authorization": f"Bearer {TOKEN}"}
            assert (await it.http.get(path, headers=bearer)).status_code == 200
        # A browser would send the password along with any other page's request.
        deleted = await it.http.post("/sessions", json={}, auth=("me", TOKEN))
        assert deleted.status_code == 401
    async with served() as it:
        assert (await it.http.get("/docs")).status_code == 200


async def test_files_are_no_oracle(tmp_path: Path) -> None:
    """What there is outside of `serve.files` is not told, nor what may not be read within."""
    media = tmp_path / "media"
    media.mkdir()
    (media / "out").symlink_to(tmp_path)
    (tmp_path / "secret.mp4").touch()
    async with served(f"serve.files={media}") as it:
        answers = set()
        for name in ("../secret.mp4", "../nothing.mp4", "out/secret.mp4", "out/nothing", "out"):
            answer = await it.http.post("/sessions", json={"source": f"file:{media}/{name}"})
            answers.add((answer.status_code, answer.text))
        assert len(answers) == 1 and next(iter(answers))[0] == 422
        long = await it.http.post("/sessions", json={"source": f"file:{media}/{'x' * 300}"})
        assert long.status_code == 422 and str(tmp_path) not in long.text
