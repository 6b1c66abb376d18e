import asyncio
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from server.access import Right
from server.hls.files import put
from server.hls.routes import content_type, hls_router


def anyone(request: HTTPConnection, session: str, right: Right) -> None:
    if request.query_params.get("token") == "wrong":
        raise HTTPException(403, "this session is not for you")


def get(folder: Path, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    app = FastAPI()
    app.include_router(hls_router(lambda session: {"one": folder}[session], anyone))

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hls = tmp_path / "hls"
    hls.mkdir()
    (hls / "master.m3u8").write_text("#EXTM3U\n")
    (hls / "video-ab12-0.m4s").write_bytes(bytes(range(100)))
    (hls / ".video-ab12-1.m4s.part").write_bytes(b"half")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    return hls


def test_playlists_are_fresh_and_segments_for_ever(folder: Path) -> None:
    playlist = get(folder, "/sessions/one/hls/master.m3u8")
    assert playlist.text == "#EXTM3U\n"
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert playlist.headers["cache-control"] == "no-cache"
    segment = get(folder, "/sessions/one/hls/video-ab12-0.m4s")
    assert segment.content == bytes(range(100))
    assert "immutable" in segment.headers["cache-control"]
    part = get(folder, "/sessions/one/hls/video-ab12-0.m4s", Range="bytes=10-19")
    assert part.status_code == 206 and part.content == bytes(range(10, 20))


async def test_a_playlist_that_grows_meanwhile_is_whole(folder: Path) -> None:
    app = FastAPI()
    app.include_router(hls_router(lambda _: folder, anyone))
    config = uvicorn.Config(app, port=0, log_level="error", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has nothing to wait for
        await asyncio.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]

    def rewrite() -> None:
        for length in range(600):
            put(folder / "master.m3u8", b"#EXTM3U\n" + b"#\n" * (length * 37 % 1000))

    writing = asyncio.create_task(asyncio.to_thread(rewrite))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while not writing.done():
            answer = await client.get("/sessions/one/hls/master.m3u8")
            assert answer.status_code == 200 and answer.text.startswith("#EXTM3U\n")
    server.should_exit = True
    await serving


def test_what_may_be_done_is_told(folder: Path) -> None:
    answer = get(folder, "/sessions/one/hls/master.m3u8", "OPTIONS")
    assert answer.status_code == 204 and "GET" in answer.headers["allow"]
    head = get(folder, "/sessions/one/hls/master.m3u8", "HEAD")
    assert head.status_code == 200 and head.content == b""


@pytest.mark.parametrize(
    "path",
    [
        "one/hls/absent.m4s",
        "two/hls/master.m3u8",
        "one/hls/..%2Fsecret.mp4",
        "one/hls/%2e%2e/secret.mp4",
        "one/hls/../../secret.mp4",
        "one/hls/.video-ab12-1.m4s.part",
        "one/hls/master.m3u8%00.mp4",
        "one/hls/master.m3u8%0a",
        "..%2Fone/hls/master.m3u8",
    ],
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    answer = get(folder, f"/sessions/{path}")
    assert answer.status_code == 404 and b"secret" not in answer.content


def test_who_may_not_see_the_session_sees_nothing(folder: Path) -> None:
    answer = get(folder, "/sessions/one/hls/master.m3u8?token=wrong")
    assert answer.status_code == 403 and "EXTM3U" not in answer.text


@given(st.text(max_size=30))
def test_any_name_has_a_type_or_is_refused(name: str) -> None:
    try:
        assert "/" in content_type(name)
    except ValueError as error:
        assert "is not the name of an HLS file" in str(error)
    else:
        assert not set(name) & set("/\\\0\n%") and not name.startswith(".")
