"""Tokens are several, give no more than they should, end, and can be taken back."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

import server.tokens
from server.tokens import Grant, Tokens, viewer_token
from stream.errors import UserError
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

        monkeypatch.setattr(server.tokens.time, "time", lambda: until + 1.0)
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


async def test_tokens_are_taken_back_while_the_daemon_runs(tmp_path: Path) -> None:
    kept = tmp_path / "tokens.json"
    settings = (
        f"serve.token={OWN}",
        f"serve.tokens={json.dumps(GRANTS)}",
        f"serve.tokens_file={kept}",
    )
    async with served(*settings) as it:
        await made(it)
        own = bearer(OWN)
        assert (await it.http.get("/tokens")).status_code == 401
        assert (await it.http.get("/tokens", headers=bearer(ROBOT))).status_code == 403
        asked = {"rights": ["play"], "sessions": ["ferry"], "expires_in": 60}
        given = (await it.http.post("/tokens", json=asked, headers=own)).json()
        assert await plays(it, "ferry", given["token"])
        assert not await plays(it, "other", given["token"])
        session = it.daemon.sessions["ferry"]
        ticket = it.daemon.tokens.ticket(session)
        path = f"/sessions/ferry/hls/{ticket}/no.m3u8"
        assert (await it.http.get(path)).status_code == 404

        ids = [one["id"] for one in (await it.http.get("/tokens", headers=own)).json()]
        assert len(ids) == 3, "that which has ended is not told"
        for id_ in ids:
            gone = await it.http.delete(f"/tokens/{id_}", headers=own)
            assert gone.status_code == 204
            assert (await it.http.delete(f"/tokens/{id_}", headers=own)).status_code == 404
        for token in (given["token"], ROBOT, WATCHER):
            assert not await plays(it, "ferry", token)
        assert (await it.http.get(path)).status_code == 403, "its tickets end with it"
        assert await plays(it, "ferry", PLAY)
        last = (await it.http.post("/tokens", json={"rights": ["control"]}, headers=own)).json()

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not any(token in kept.read_text() for token in (given["token"], last["token"], ROBOT))
    async with served(*settings) as it:
        assert (await it.http.post("/sessions", json={}, headers=bearer(ROBOT))).status_code == 403
        assert (await it.http.get("/metrics", headers=bearer(last["token"]))).status_code == 200


async def test_taking_back_the_last_token_opens_nothing() -> None:
    async with served(f"serve.tokens={json.dumps([grant(OWN, 'control')])}") as it:
        (one,) = (await it.http.get("/tokens", headers=bearer(OWN))).json()
        assert (await it.http.delete(f"/tokens/{one['id']}", headers=bearer(OWN))).is_success
        assert (await it.http.post("/sessions", json={})).status_code == 401
        assert (await it.http.get("/metrics")).status_code == 401
    async with served() as it:
        refused = await it.http.post("/tokens", json={"rights": ["play"]})
        assert refused.status_code == 409, "where anybody may do all, no token means anything"


@pytest.mark.parametrize("content", ["{", "[]", '{"tokens":[{"sha256":"x","rights":[]}]}'])
def test_a_damaged_file_of_tokens_is_no_empty_one(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text(content)
    with pytest.raises(UserError, match="serve.tokens_file"):
        Tokens(OWN, path=tmp_path / "tokens.json")
