"""Behind the documented nginx, captions and meters worked on port 443 alone; a page's WebSocket
must be let in on every port, default ports count as none, and pages of other places stay out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.websocket.frames import FORBIDDEN, SUBPROTOCOL, ProtocolError
from server.websocket.gate import Gate
from tests.helpers.live_server import LiveServer
from tests.helpers.nginx_proxy import needs_nginx, proxied


def check(origin: str, **headers: str) -> None:
    """Ask the gate for a connection with these headers."""
    raw = {"origin": origin} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "websocket",
        "headers": [(name.encode(), value.encode()) for name, value in raw.items()],
        "query_string": b"",
        "path_params": {},
    }

    async def nothing(*_: object) -> None: ...

    Gate()._check(WebSocket(scope, nothing, nothing), "s", "play")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8443", "localhost:8443"),
        ("https://dub.example.org", "dub.example.org"),
        ("https://dub.example.org", "dub.example.org:443"),
        ("https://dub.example.org:443", "dub.example.org"),
        ("http://localhost", "localhost:80"),
        ("http://LOCALHOST", "localhost"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[::1]", "[::1]:80"),
    ],
)
def test_a_page_of_the_same_place_may_connect(origin: str, host: str) -> None:
    check(origin, host=host)
    check(origin, host="127.0.0.1:8080", x_forwarded_host=host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://dub.example.org:8443", "dub.example.org"),
        ("https://dub.example.org", "dub.example.org:80"),
        ("http://dub.example.org", "dub.example.org:443"),
        ("https://evil.example.org", "dub.example.org"),
        ("https://dub.example.org.evil.org", "dub.example.org"),
        ("null", "dub.example.org"),
        ("null", ""),
        ("http://[", "["),
        ("http://a:b", "a:b"),
    ],
)
def test_a_page_of_another_place_may_not(origin: str, host: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        check(origin, host=host)
    assert refused.value.code == FORBIDDEN


@needs_nginx
async def test_the_recommended_nginx_lets_pages_in_on_any_port(tmp_path: Path) -> None:
    server = LiveServer("serve.sessions=[{id: s}]")
    try:
        with proxied(tmp_path, server.url) as (root, below):
            for page in (root, below):
                address = f"{page.replace('http', 'ws', 1)}sessions/s/listen?format=none"
                origin = page.removesuffix("/").removesuffix("/dub")
                async with connect(address, origin=origin, subprotocols=[SUBPROTOCOL]) as socket:  # type: ignore[arg-type, list-item]
                    assert json.loads(await socket.recv())["type"] == "hello"
                async with connect(
                    address,
                    origin="http://127.0.0.1",  # type: ignore[arg-type]
                    subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
                ) as socket:
                    with pytest.raises(ConnectionClosed):
                        await socket.recv()
                    assert socket.close_code == FORBIDDEN
    finally:
        server.close()
