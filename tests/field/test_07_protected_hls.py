"""Of a protected session, stock players got the playlist and for every segment 401; whatever a
playlist opened with its token names must play without header or query, and nothing without one."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from starlette.requests import HTTPConnection

import server.tokens
from server.access import check
from server.hls.master import below
from server.hls.routes import hls_router
from server.tokens import TICKET_S, Right, Tokens
from tests.helpers.daemons import Served, served
from tests.helpers.hls_folder import written
from tests.helpers.streams import small_source
from tests.helpers.ws_server import serving

TOKEN = "watchme-1234"
MASTER = "/sessions/s/hls/master.m3u8"


class Protected:
    def __init__(self) -> None:
        self.id, self.key = "s", "the-key"
        self.play_token: str | None = TOKEN


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("protected")
    written(small_source(made / "source.mp4", length=3), made / "hls")
    return made / "hls"


async def _session(it: Served, folder: Path) -> None:
    session = {"id": "s", "play_token": TOKEN}
    assert (await it.http.post("/sessions", json=session)).status_code == 201
    for file in folder.iterdir():
        shutil.copy(file, it.daemon.sessions["s"].folder)


async def _crawled(http: httpx.AsyncClient, start: str) -> dict[str, int]:
    """Status of everything that a player comes to from a playlist, by its address."""
    found: dict[str, int] = {}
    waiting = [start]
    while waiting:
        url = waiting.pop()
        answer = await http.get(url)
        found[url] = answer.status_code
        if not url.partition("?")[0].endswith(".m3u8") or answer.status_code != 200:
            continue
        named = re.findall(r'URI="([^"]+)"|^([^#\s]\S*)', answer.text, re.MULTILINE)
        waiting += {urljoin(url, one or other) for one, other in named} - found.keys()
    return found


async def test_everything_that_the_playlist_names_is_there(folder: Path) -> None:
    async with served() as it:
        await _session(it, folder)
        found = await _crawled(it.http, f"http://localhost{MASTER}?token={TOKEN}")
        kinds = {url.rpartition(".")[2].partition("?")[0] for url in found}
        assert kinds == {"m3u8", "mp4", "m4s", "vtt"} and len(found) > 12
        assert set(found.values()) == {200}
        assert sum(TOKEN in url for url in found) == 1, "the token itself is in no other address"


async def test_every_playlist_may_be_opened_with_the_token(folder: Path) -> None:
    async with served("serve.token=of-the-whole-daemon") as it:
        it.http.headers["Authorization"] = "Bearer of-the-whole-daemon"
        await _session(it, folder)
        del it.http.headers["Authorization"]
        for start in ("video.m3u8?token=" + TOKEN, "master.m3u8?token=of-the-whole-daemon"):
            found = await _crawled(it.http, f"http://localhost/sessions/s/hls/{start}")
            assert len(found) > 3 and set(found.values()) == {200}


async def test_a_ticket_may_be_asked_for(folder: Path) -> None:
    """So that a page's player, which sends no headers, needs no token in its address."""
    async with served() as it:
        await _session(it, folder)
        path = "/sessions/s/hls-tickets"
        assert (await it.http.post(path)).status_code == 401
        given = await it.http.post(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert given.headers["Cache-Control"] == "no-store"
        ticket = given.json()["ticket"]
        found = await _crawled(it.http, f"http://localhost/sessions/s/hls/{ticket}/master.m3u8")
        assert len(found) > 12 and set(found.values()) == {200}
        assert not any(TOKEN in url for url in found)
        assert (await it.http.post("/sessions", json={"id": "open"})).status_code == 201
        assert (await it.http.post("/sessions/open/hls-tickets")).json() == {"ticket": None}


async def test_who_sends_headers_gets_the_plain_names(folder: Path) -> None:
    """As the page does; caches keep one copy for all."""
    async with served() as it:
        await _session(it, folder)
        it.http.headers["Authorization"] = f"Bearer {TOKEN}"
        found = await _crawled(it.http, f"http://localhost{MASTER}")
        assert set(found.values()) == {200}
        assert all(re.fullmatch(r"http://localhost/sessions/s/hls/[^/]+", url) for url in found)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("master.m3u8", 401),
        ("master.m3u8?token=wrong", 403),
        (f"{'0' * 32}/master.m3u8", 403),
        ("OTHER/video.m3u8", 403),
        ("TICKET/absent.m4s", 404),
        ("TICKET/..%2Fmaster.m3u8", 404),
    ],
)
async def test_nothing_else_opens_it(folder: Path, path: str, status: int) -> None:
    async with served() as it:
        await _session(it, folder)
        other = Protected()
        other.id = "another"
        tickets = {"TICKET": it.daemon.tokens.ticket(Protected())}
        tickets["OTHER"] = it.daemon.tokens.ticket(other)
        for name, ticket in tickets.items():
            path = path.replace(name, str(ticket))
        assert (await it.http.get(f"/sessions/s/hls/{path}")).status_code == status


async def test_a_ticket_gives_no_other_right_and_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served("serve.token=of-the-whole-daemon") as it:
        it.http.headers["Authorization"] = "Bearer of-the-whole-daemon"
        await _session(it, folder)
        ticket = it.daemon.tokens.ticket(Protected())
        it.http.headers["Authorization"] = f"Bearer {ticket}"
        assert (await it.http.get("/metrics")).status_code == 403
        assert (await it.http.get(MASTER)).status_code == 403
        del it.http.headers["Authorization"]
        path = f"/sessions/s/hls/{ticket}/master.m3u8"
        assert (await it.http.get(path)).status_code == 200
        now = time.time()
        monkeypatch.setattr(server.tokens.time, "time", lambda: now + TICKET_S + 1)
        assert (await it.http.get(path)).status_code == 403


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffmpeg is not installed")
async def test_ffmpeg_plays_it(folder: Path) -> None:
    tokens = Tokens()

    def authorise(connection: HTTPConnection, session: str, right: Right) -> None:
        check(connection, right, Protected(), tokens)

    router = hls_router(lambda _: folder, authorise, lambda _, __: tokens.ticket(Protected()))
    async with serving(router) as url:
        command = [
            "ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0",
            f"{url.replace('ws:', 'http:')}{MASTER}?token={TOKEN}",
        ]  # fmt: skip
        ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert ran.stderr == "" and set(ran.stdout.split()) == {"video", "audio"}


def test_only_addresses_are_moved() -> None:
    playlist = '#EXTM3U\n#EXT-X-MAP:URI="i.mp4"\n#EXTINF:2.0,\na.m4s\n\n#EXT-X-ENDLIST\n'
    moved = '#EXTM3U\n#EXT-X-MAP:URI="t/i.mp4"\n#EXTINF:2.0,\nt/a.m4s\n\n#EXT-X-ENDLIST\n'
    assert below(playlist, "t/") == moved
