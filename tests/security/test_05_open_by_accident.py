"""Nobody gets control without a token by accident: by the network, an empty variable or a page."""

import re

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from server.cli import main
from server.config import ConfigError, load
from server.http.exposure import check_exposure
from stream.errors import UserError
from tests.helpers.daemons import served

TOKEN = "sixteen-characters-or-more"
PAGE = "http://evil.example:8080"


def test_beyond_this_machine_it_does_not_start_without_a_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.delenv("LIVEDUB_SERVE_TOKEN", raising=False)
    # As the container image is started: its configuration, and all addresses.
    status = main(["serve", "--config", "config.yaml", "--set", "serve.host=0.0.0.0"])
    said = capsys.readouterr()
    assert status == 2 and "serve.token" in re.sub(r"\s+", " ", said.err + said.out)


@pytest.mark.parametrize(
    ("host", "settings", "starts"),
    [
        ("0.0.0.0", [], False),
        ("::", [], False),
        ("192.0.2.7", [], False),
        ("dub.example.org", [], False),
        ("127.0.0.2", [], True),
        ("::1", [], True),
        ("localhost", [], True),
        ("0.0.0.0", ["serve.open=true"], True),
        ("0.0.0.0", [f"serve.token={TOKEN}"], True),
    ],
)
def test_who_reaches_it_decides(host: str, settings: list[str], starts: bool) -> None:
    serve = load(assignments=[f"serve.host='{host}'", *settings], environment={}).serve
    if starts:
        check_exposure(serve)
    else:
        with pytest.raises(UserError, match="at least 16 characters"):
            check_exposure(serve)


@pytest.mark.parametrize("token", ["", " ", "''", "short", "fifteen-charact"])
def test_a_token_that_protects_nothing_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match=r"serve\.token .*16 characters"):
        load(environment={"LIVEDUB_SERVE_TOKEN": token})
    with pytest.raises(ConfigError, match=r"serve\.token .*16 characters"):
        load(assignments=[f"serve.token={token}"], environment={})


async def test_a_page_whose_name_leads_here_has_no_control() -> None:
    async with served() as it:
        for host in ("evil.example:8080", "evil.example", "127.0.0.1.evil.example", ""):
            answer = await it.http.post("/sessions", json={"id": "x"}, headers={"Host": host})
            assert answer.status_code == 421 and "serve.names" in answer.json()["detail"], host
            assert (await it.http.get("/sessions", headers={"Host": host})).status_code == 421
        for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "192.0.2.1"):
            answer = await it.http.get("/sessions", headers={"Host": host})
            assert answer.json() == [], host
    async with served("serve.names=[dub.example.org]") as it:
        answer = await it.http.get("/sessions", headers={"Host": "dub.example.org"})
        assert answer.status_code == 200
    async with served(f"serve.token={TOKEN}") as it:
        answer = await it.http.get("/sessions", headers={"Host": "evil.example"})
        assert answer.status_code == 200
        answer = await it.http.post("/sessions", json={}, headers={"Host": "evil.example"})
        assert answer.status_code == 401


async def test_nor_does_it_get_a_websocket() -> None:
    async with served() as it:
        client = TestClient(it.app, base_url=PAGE)
        connecting = client.websocket_connect("/sessions/live/listen", headers={"Origin": PAGE})
        with pytest.raises(WebSocketDisconnect) as told, connecting:
            pass
        assert told.value.code == 4403


async def test_what_a_session_shows_is_read_by_the_operators_pages_alone() -> None:
    async with served("serve.origins=[https://ours.example]", "serve.sessions=[{id: live}]") as it:
        for path in ("/sessions", "/sessions/live/hls/master.m3u8"):
            for origin, allowed in ((PAGE, None), ("https://ours.example",) * 2):
                answer = await it.http.get(path, headers={"Origin": origin})
                assert answer.headers.get("access-control-allow-origin") == allowed
    async with served("serve.sessions=[{id: live}]") as it:
        answer = await it.http.get("/sessions/live/hls/master.m3u8", headers={"Origin": PAGE})
        assert "access-control-allow-origin" not in answer.headers
