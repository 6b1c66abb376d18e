"""Served below a path, the page was blank; whatever it loads, asks for and is answered must stay
below the path, WebSockets and the addresses of WHIP and WHEP resources included."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI, Request

from server.access import outside
from tests.helpers.live_server import LiveServer
from tests.helpers.nginx_proxy import needs_nginx, proxied

WEB = Path(__file__).parents[2] / "server" / "web"
NAMED = re.compile(r'''(?:\b(?:src|href)=|\bfrom )"([^"\n]+)"''')


@needs_nginx
async def test_everything_that_the_pages_load_is_there(tmp_path: Path) -> None:
    server = LiveServer("serve.sessions=[]")
    try:
        with proxied(tmp_path, server.url) as pages:
            async with httpx.AsyncClient() as http:
                for page in pages:
                    found, waiting = {}, [page, urljoin(page, "publish")]
                    while waiting:
                        url = waiting.pop()
                        answer = await http.get(url)
                        found[url] = answer.status_code
                        if url.endswith((".svg", ".css", "min.js")):
                            continue
                        named = {urljoin(url, one) for one in NAMED.findall(answer.text)}
                        waiting += named - found.keys()
                    assert [url for url, status in found.items() if status != 200] == []
                    assert all(url.startswith(page) for url in found)
                    assert urljoin(page, "web/watcher.js") in found
                    created = await http.post(urljoin(page, "sessions"), json={})
                    assert created.status_code == 201
                    at = urljoin(page, created.headers["location"])
                    assert at.startswith(page) and (await http.get(at)).status_code == 200
    finally:
        server.close()


BELOW_A_SESSION = {
    "/hls-tickets", "/listen", "/hls/master.m3u8", "/whep", "/whip",
    "/levels", "/on-air", "/thumbnail",
}  # fmt: skip
"""What ``at`` puts behind a session's own address."""


def test_no_script_names_an_absolute_path() -> None:
    scripts = [path.read_text() for path in WEB.glob("*.js") if path.name != "hls.min.js"]
    named = {one for text in scripts for one in re.findall(r"""["'`](/[a-z][^"'`$]*)["'`]""", text)}
    assert named == BELOW_A_SESSION


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/dub", "/dub/sessions/s"),
        ("/a/b.c-d/", "/a/b.c-d/sessions/s"),
        ("", "/sessions/s"),
        ("//evil.example.org", "/sessions/s"),
        ("dub", "/sessions/s"),
        ("/a b", "/sessions/s"),
        ("/a\r\nx: y", "/sessions/s"),
    ],
)
def test_a_prefix_is_a_path_or_nothing(prefix: str, path: str) -> None:
    headers = [(b"x-forwarded-prefix", prefix.encode())]
    request = Request({"type": "http", "headers": headers, "app": FastAPI()})
    assert outside(request, "/sessions/s") == path
