"""STUN and TURN servers, from the configuration to the header that browsers read."""

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from server.access import Denied, Right
from server.cli import main
from server.http import problems
from server.webrtc.ice_servers import ice_links, ice_server
from server.webrtc.peers import Peers
from server.webrtc.routes import webrtc_router
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk
from stream.live.connection import Connection
from stream.live.feed import Feed
from tests.helpers.rtc import Viewer, nothing_left

STUN = "stun:stun.example.net"
TURN = 'turn:eve:pa"ss, w\\rd; rel="x"@turn.example.net:3478?transport=udp'
SDP = {"content-type": "application/sdp"}
MAY = {"authorization": "Bearer right"}


def read_links(header: str) -> list[tuple[str, dict[str, str]]]:
    """A Link header by the grammar of RFC 8288 and RFC 9110, and nothing looser."""
    token, quoted = r"[\w!#$%&'*+.^`|~-]+", r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
    parameter = rf"[ \t]*;[ \t]*({token})=({token}|{quoted})"
    links, rest = [], header
    while rest:
        link = re.match(rf"<([^>]*)>((?:{parameter})*)[ \t]*(?:,[ \t]*|$)", rest)
        assert link is not None, rest
        found = re.findall(parameter, link[2])
        links.append((link[1], {name: _unquoted(value) for name, value in found}))
        rest = rest[link.end() :]
    return links


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def test_the_header_is_as_rfc_9725_shows_it() -> None:
    servers = [
        ice_server(url) for url in (STUN, "turn:u:myPassword@turn.example.net?transport=tcp")
    ]
    assert ice_links(servers) == {
        "Link": '<stun:stun.example.net>; rel="ice-server", '
        '<turn:turn.example.net?transport=tcp>; rel="ice-server"; username="u"; '
        'credential="myPassword"; credential-type="password"'
    }
    assert ice_links([]) == {}


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=":"), min_size=1),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1),
)
def test_any_credentials_survive_the_header(user: str, password: str) -> None:
    header = ice_links([ice_server(f"turns:{user}:{password}@[::1]:5349"), ice_server(STUN)])
    (turn, told), (stun, plain) = read_links(header["Link"])
    assert (turn, stun) == ("turns:[::1]:5349", STUN)
    assert told["rel"] == plain["rel"] == "ice-server"
    assert (told["username"], told["credential"]) == (user, password)
    assert "credential" not in plain


@pytest.mark.parametrize(
    "url",
    ["", "stun:", "http://a", "turn:a.example", "stun:u:p@a", "turn::u@a", "stun:a>; rel=x",
     "turn:u:p\r\nX: y@a", "turn:ü:p@a", "stun:a?transport=udp"],
)  # fmt: skip
def test_what_is_no_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="ICE server|ASCII") as refused:
        ice_server(url)
    assert "p@" not in str(refused.value).replace("user:password@", "")


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("serve.port=0", "serve.rtmp_port=null", "serve.ice_servers=[turn:a.example]")
    sets = [part for setting in settings for part in ("--set", setting)]
    assert main(["serve", *sets]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "serve.ice_servers" in said


async def test_only_who_may_come_in_is_told_credentials() -> None:
    now = asyncio.get_running_loop().time()
    feed = Feed(lambda time: now + time / 48_000, 1, {"original": Broadcast[AudioChunk]()})
    # Nothing answers there: it is about who is told.
    peers = Peers(ice_servers=[ice_server(STUN), ice_server(TURN)])

    def authorise(connection: HTTPConnection, session: str, right: Right) -> None:
        if connection.headers.get("authorization") != MAY["authorization"]:
            raise Denied(401, f"may not {right}")

    async def admit(session: str, connection: Connection) -> None:
        raise AssertionError("nobody publishes")

    app = FastAPI()
    problems.install(app)
    app.include_router(webrtc_router({"s": feed}.__getitem__, admit, authorise, peers))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        for path in ("whep", "whip"):
            told = await http.options(f"/sessions/s/{path}", headers=MAY)
            assert told.status_code == 204
            (stun, _), (turn, secret) = read_links(told.headers["link"])
            assert (stun, turn) == (STUN, "turn:turn.example.net:3478?transport=udp")
            assert secret["username"] == "eve"
            assert secret["credential"] == 'pa"ss, w\\rd; rel="x"'
            assert told.headers["cache-control"] == "no-store"
            assert told.headers["accept-post"] == "application/sdp"
            for session, headers in (("s", {}), ("x", MAY), ("s", {"authorization": "no"})):
                untold = await http.options(f"/sessions/{session}/{path}", headers=headers)
                assert untold.status_code == 204
                assert "link" not in untold.headers
            refused = await http.post(f"/sessions/s/{path}", content="v=0", headers=SDP)
            assert refused.status_code == 401
            assert "link" not in refused.headers

        viewer = Viewer(("audio",))
        peers._ice_servers = [ice_server("stun:127.0.0.1:9")]
        offer = await viewer.offer()
        created = await http.post("/sessions/s/whep", content=offer, headers=SDP | MAY)
        assert created.status_code == 201, created.text
        assert created.headers["link"] == '<stun:127.0.0.1:9>; rel="ice-server"'
        await peers.aclose()
        await viewer.close()
    await nothing_left()
