"""Tokens need not stand in the addresses of WebSockets, and are in no log if they do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.helpers.live_server import LiveServer

OWN = "sixteen characters/or+more=="
PLAY = "watch-me-12345678"


@pytest.fixture(name="url", scope="module")
def _url() -> Iterator[str]:
    server = LiveServer(
        f"serve.token='{OWN}'", f"serve.sessions=[{{id: live, hls: false, play_token: {PLAY}}}]"
    )
    try:
        yield f"{server.url.replace('http', 'ws')}/sessions/live/listen?format=none"
    finally:
        server.close()


async def said(url: str, *subprotocols: str) -> str:
    """The first message, or why there is none."""
    offered = [Subprotocol(one) for one in subprotocols]
    async with connect(url, subprotocols=offered or None) as socket:
        assert socket.subprotocol in (None, "livedub.v1"), "no token is said aloud"
        try:
            return str(await socket.recv())
        except ConnectionClosed as error:
            return str(error.rcvd and error.rcvd.code)


@pytest.mark.parametrize("token", [PLAY, OWN])
async def test_a_token_may_be_a_subprotocol(
    url: str, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert "hello" in await said(url, "livedub.v1", f"bearer.{quote(token, safe='')}")
    assert "hello" in await said(f"{url}&token={quote(token)}"), "the old form goes on"
    assert await said(url, "livedub.v1") == "4401"
    assert await said(url, f"bearer.{PLAY}") == "4400", "which language is spoken must be said"
    async with httpx.AsyncClient() as http:
        path = url.replace("ws:", "http:").replace("listen?format=none", "hls/a.m3u8")
        assert (await http.get(f"{path}?token={quote(token)}")).status_code == 404
    ours = [one for one in caplog.records if not one.name.startswith(("websockets.", "httpcore"))]
    for record in ours:
        assert token not in record.getMessage() and quote(token) not in record.getMessage()


async def test_a_wrong_one_is_refused(url: str) -> None:
    assert await said(url, "livedub.v1", "bearer.wrong") == "4403"
