"""The daemon's API as a client sees it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.demo_clip import Clip
from server.config import load
from server.http.app import create_app
from server.sessions.daemon import Daemon
from server.sessions.logs import SESSION, configure
from tests.helpers.rtc import until
from tests.helpers.scripted import ScriptedPool
from tests.helpers.virtual_time import run_virtual

TOKEN = "a-token-for-the-daemon"


@contextlib.asynccontextmanager
async def _api(*settings: str) -> AsyncIterator[tuple[Daemon, httpx.AsyncClient]]:
    config = load(
        assignments=("serve.rtmp_port=null", "playout.delay=1.5", *settings), environment={}
    )
    daemon = Daemon(config)
    daemon.pool = ScriptedPool(on_restart=daemon.metrics.restarted)
    await daemon.start()
    transport = httpx.ASGITransport(create_app(daemon))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield daemon, client
    finally:
        await daemon.aclose()


def _run(
    test: Callable[[Daemon, httpx.AsyncClient], Coroutine[Any, Any, None]], *settings: str
) -> None:
    asyncio.run(_tested(test, *settings))


async def _tested(
    test: Callable[[Daemon, httpx.AsyncClient], Coroutine[Any, Any, None]], *settings: str
) -> None:
    async with _api(*settings) as (daemon, client):
        await test(daemon, client)


def _problem(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    detail: str = response.json()["detail"]
    return detail


def test_a_session_is_created_listed_shown_and_ended() -> None:
    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        created = await client.post("/sessions", json={"id": "ferry", "targets": ["pt", "en"]})
        assert created.status_code == 201
        assert created.headers["location"] == "/sessions/ferry"
        assert created.json()["rtmp_path"] == f"/live/{created.json()['key']}"
        await until(lambda: daemon.sessions["ferry"].state != "starting")
        shown = (await client.get("/sessions/ferry")).json()
        assert shown["state"] == "waiting"
        assert shown["tracks"] == ["original", "pt", "en"]
        listed = await client.get("/sessions")
        assert [s["id"] for s in listed.json()] == ["ferry"]
        assert created.json()["key"] not in listed.text + json.dumps(shown)
        assert (await client.delete("/sessions/ferry")).status_code == 204
        _problem(await client.get("/sessions/ferry"), 404)

    _run(test)


def test_a_file_is_dubbed_and_its_session_ends(clip: Clip) -> None:
    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        created = await client.post("/sessions", json={"id": "file", "source": str(clip.path)})
        assert created.status_code == 201, created.text
        await asyncio.wait_for(daemon.sessions["file"].ended.wait(), 30)
        shown = (await client.get("/sessions/file")).json()
        assert shown["state"] == "ended"
        assert sum(v for k, v in shown["dubs"]["pt"].items() if k != "on_time_rate") >= 3
        assert shown["position_s"] == pytest.approx(clip.duration, abs=0.1)
        metrics = (await client.get("/metrics")).text
        assert 'livedub_utterances_total{fate="on_time",session="file",track="pt"}' in metrics
        assert 'livedub_stage_seconds_count{stage="tts"}' in metrics

    run_virtual(_tested(test, f"serve.files={clip.path.parent}"))


def test_refusals_say_what_is_wrong() -> None:
    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        assert "id" in _problem(await client.post("/sessions", json={"id": "No!"}), 422)
        unserved = _problem(await client.post("/sessions", json={"targets": ["pt", "tlh"]}), 422)
        assert "No translator from English to Klingon" in unserved
        meant = _problem(await client.post("/sessions", json={"target": ["pt"], "key": "k"}), 422)
        assert "did you mean 'targets'?" in meant and "key: a key or token has 8 to 128" in meant
        bare = await client.post("/sessions", content="[1]")
        assert "send a JSON object with Content-Type: application/json" in _problem(bare, 422)
        first = await client.post("/sessions", json={"id": "a", "key": "the-same-key"})
        assert first.status_code == 201
        assert "already" in _problem(await client.post("/sessions", json={"id": "a"}), 409)
        private = {"source": "rtmp://127.0.0.1/a/b"}
        assert "private" in _problem(await client.post("/sessions", json=private), 422)
        wrong = {"settings": {"tts.engine": "nobody"}}
        assert "one of" in _problem(await client.post("/sessions", json=wrong), 422)
        same_key = {"id": "b", "key": "the-same-key"}
        assert "key" in _problem(await client.post("/sessions", json=same_key), 409)
        assert (await client.post("/sessions", json={"id": "b"})).status_code == 201
        assert "end one" in _problem(await client.post("/sessions", json={"id": "c"}), 503)
        large = b'{"id": "' + b"x" * 70_000 + b'"}'
        sent = await client.post(
            "/sessions", content=large, headers={"content-type": "application/json"}
        )
        _problem(sent, 413)
        assert "no session" in _problem(await client.delete("/sessions/zzz"), 404)
        _problem(await client.put("/sessions"), 405)

    _run(test, "serve.max_sessions=2")


def test_the_daemons_token_guards_what_changes_it() -> None:
    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        bare = await client.post("/sessions", json={})
        _problem(bare, 401)
        assert bare.headers["www-authenticate"] == "Bearer"
        wrong = {"Authorization": "Bearer wrong"}
        _problem(await client.post("/sessions", json={}, headers=wrong), 403)
        _problem(await client.get("/metrics"), 401)
        right = {"Authorization": f"Bearer {TOKEN}"}
        created = await client.post("/sessions", json={"id": "a"}, headers=right)
        assert created.status_code == 201
        _problem(await client.delete("/sessions/a"), 401)
        assert (await client.get("/sessions")).status_code == 200
        assert (await client.get("/metrics", headers=right)).status_code == 200
        assert (await client.get("/healthz")).status_code == 200

    _run(test, f"serve.token={TOKEN}")


def test_an_engine_that_cannot_be_had_fails_its_session_alone() -> None:
    class Nothing(ScriptedPool):
        async def lane(self, config: Any, owner: str) -> Any:
            from stages.base import EngineError

            raise EngineError("mt.engine 'scripted' needs something.")

    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        daemon.pool = Nothing()
        await client.post("/sessions", json={"id": "a"})
        await asyncio.sleep(0.2)
        shown = (await client.get("/sessions/a")).json()
        assert shown["state"] == "failed" and "needs something" in shown["error"]
        assert (await client.get("/readyz")).status_code == 200

    _run(test)


def test_while_it_ends_the_daemon_is_not_ready() -> None:
    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        daemon.ready = False
        _problem(await client.get("/readyz"), 503)
        _problem(await client.post("/sessions", json={}), 503)
        assert (await client.get("/healthz")).status_code == 200

    _run(test)


def test_logs_are_one_json_object_a_line_with_the_session(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure(as_json=True, verbose=False)
        SESSION.set("ferry")
        logging.getLogger("x").warning("a\nb", extra={"utterance": 3})
        entry = json.loads(capsys.readouterr().err)
        assert entry["session"] == "ferry" and entry["utterance"] == 3
        assert entry["message"] == "a\nb" and entry["level"] == "warning"
    finally:
        SESSION.set(None)
        root.handlers[:] = before
        root.setLevel(level)


def test_every_metric_is_in_the_operators_guide() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "operate" / "daemon.md").read_text()

    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        await client.post("/sessions", json={"id": "a"})
        shown = text_string_to_metric_families((await client.get("/metrics")).text)
        names = {family.name for family in shown if not family.name.endswith("_created")}
        assert len(names) > 15
        assert [name for name in names if name not in guide] == []

    _run(test)


def test_the_api_describes_every_field_and_operation() -> None:
    async def test(daemon: Daemon, client: httpx.AsyncClient) -> None:
        schema = (await client.get("/openapi.json")).json()
        fields = schema["components"]["schemas"]["SessionSpec"]["properties"]
        assert [name for name, field in fields.items() if not field.get("description")] == []
        assert "ws://HOST/sessions/ID/listen" in schema["info"]["description"]

    _run(test)
