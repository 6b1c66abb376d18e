"""Tokens are several, give no more than they should, end, and can be taken back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

import server.access
from server.access import Grant, viewer_token
from tests.helpers.daemons import Served, served

OWN, PLAY = "sixteen-characters-or-more", "a-play-token"
ROBOT, OLD, WATCHER = "robot-of-the-ferry-session", "an-old-token-that-ended", "the-press-may-watch"


def grant(token: str, *rights: str, **more: Any) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(token.encode()).hexdigest(), "rights": list(rights), **more}


GRANTS = [
    grant(ROBOT, "control", sessions=["ferry"]),
    grant(OLD, "control", expires="2020-01-01T00:00:00Z"),
    grant(WATCHER, "play"),
]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def made(it: Served) -> None:
    for name in ("ferry", "other"):
        asked = {"id": name, "play_token": PLAY}
        created = await it.http.post("/sessions", json=asked, headers=bearer(OWN))
        assert created.status_code == 201, created.text


async def plays(it: Served, session: str, token: str) -> bool:
    """404 is for who may play, as there is no playlist yet."""
    answer = await it.http.get(f"/sessions/{session}/hls/no.m3u8", headers=bearer(token))
    assert answer.status_code in (403, 404)
    return answer.status_code == 404


async def test_grants_give_what_they_say_and_no_more() -> None:
    settings = (f"serve.token={OWN}", f"serve.tokens={json.dumps(GRANTS)}", "serve.max_sessions=9")
    async with served(*settings) as it:
        await made(it)
        for token in (ROBOT, OLD, WATCHER):
            refused = await it.http.post("/sessions", json={}, headers=bearer(token))
            assert refused.status_code == 403, token
        assert await plays(it, "ferry", WATCHER) and await plays(it, "other", WATCHER)
        assert await plays(it, "ferry", ROBOT) and not await plays(it, "other", ROBOT)
        assert not await plays(it, "ferry", OLD)
        ended = await it.http.delete("/sessions/other", headers=bearer(ROBOT))
        assert ended.status_code == 403
        ended = await it.http.delete("/sessions/ferry?drain=false", headers=bearer(ROBOT))
        assert ended.status_code == 204


async def test_a_grant_of_control_closes_the_api_without_another_token() -> None:
    async with served(f"serve.tokens={json.dumps([grant(OWN, 'control')])}") as it:
        assert (await it.http.post("/sessions", json={})).status_code == 401
        assert (await it.http.get("/metrics")).status_code == 401
        made = await it.http.post("/sessions", json={}, headers=bearer(OWN))
        assert made.status_code == 201


async def test_viewers_tokens_end_and_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(f"serve.token={OWN}") as it:
        await made(it)
        path = "/sessions/ferry/viewer-tokens"
        assert (await it.http.post(path, json={}, headers=bearer(PLAY))).status_code == 403
        answer = await it.http.post(path, json={"expires_in": 60}, headers=bearer(OWN))
        token, until = answer.json()["token"], answer.json()["expires"]
        assert await plays(it, "ferry", token)
        in_path = await it.http.get(f"/sessions/ferry/hls/{token}/no.m3u8")
        assert in_path.status_code == 404, "it stands in the addresses of a playlist"
        assert not await plays(it, "other", token)
        for forged in (
            token.replace(str(until), str(until + 60)),
            f"v1.{until}.{'0' * 64}",
            "v1..",
        ):
            assert not await plays(it, "ferry", forged)
        whip = await it.http.post("/sessions/ferry/whip", headers=bearer(token))
        assert whip.status_code in (403, 415, 422)

        monkeypatch.setattr(server.access.time, "time", lambda: until + 1.0)
        assert not await plays(it, "ferry", token)
        gone = await it.http.get(f"/sessions/ferry/hls/{token}/no.m3u8")
        assert gone.status_code == 403
        monkeypatch.undo()

        changed = {"play_token": "another-play-token"}
        assert (await it.http.patch("/sessions/ferry", json=changed)).status_code == 401
        patched = await it.http.patch("/sessions/ferry", json=changed, headers=bearer(OWN))
        assert patched.status_code == 204
        assert not await plays(it, "ferry", token) and not await plays(it, "ferry", PLAY)
        assert await plays(it, "ferry", "another-play-token")


def test_only_the_hash_is_kept() -> None:
    one = Grant.model_validate(GRANTS[2])
    assert WATCHER not in repr(one)
    assert viewer_token("a", "s", 9) != viewer_token("b", "s", 9)
