"""The HTTP side of WHEP and WHIP, in-process; peers are real."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from server.access import Denied, Right
from server.http import problems
from server.limits import Places
from server.webrtc.peers import Peers
from server.webrtc.routes import webrtc_router
from server.webrtc.whep import WhepPeer
from server.webrtc.whip import WhipSource
from stream.live.connection import Connection
from stream.live.feed import Feed
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import Publisher, Viewer, flashes, nothing_left, until

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

SDP = {"content-type": "application/sdp"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashes(tmp_path_factory.mktemp("routes") / "flash.mkv")


class Daemon:
    """The routes, one session ``s`` with a feed, and whoever publishes to it."""

    def __init__(self, feed: Feed, most: int = 100) -> None:
        self.peers = Peers({"play": Places(most), "publish": Places(most)})
        self.published: list[WhipSource] = []
        self.feed = feed
        app = FastAPI()
        problems.install(app)
        app.include_router(
            webrtc_router({"s": feed}.__getitem__, self.admit, self.authorise, self.peers)
        )
        transport = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def admit(self, session: str, connection: Connection) -> None:
        {"s": 0}[session]
        assert isinstance(connection, WhipSource)
        self.published.append(connection)

    def authorise(self, connection: HTTPConnection, session: str, right: Right) -> None:
        if connection.headers.get("authorization") == "Bearer wrong":
            raise Denied(401, "wrong token")


@contextlib.asynccontextmanager
async def daemon(path: Path, most: int = 100) -> AsyncIterator[Daemon]:
    async with file_feed(path) as feed:
        running = Daemon(feed, most)
        async with running.http:
            try:
                yield running
            finally:
                await running.peers.aclose()
                for source in running.published:
                    await source.aclose()
    await nothing_left()


async def test_a_viewer_comes_changes_track_and_goes(clip: Path) -> None:
    async with daemon(clip) as d:
        viewer = Viewer()
        created = await d.http.post(
            "/sessions/s/whep?track=pt", content=await viewer.offer(), headers=SDP
        )
        assert created.status_code == 201, created.text
        assert created.headers["content-type"].partition(";")[0] == "application/sdp"
        assert "a=candidate:" in created.text
        await viewer.accept(created.text)
        where = created.headers["location"]
        await until(lambda: len(viewer.packets["audio"]) > 10)
        peer = d.peers.find("s", "play", where.rpartition("/")[2])
        assert isinstance(peer, WhepPeer)
        assert (await d.http.put(f"{where}/track?track=original")).status_code == 204
        assert peer.sounds == ("original",)
        await until(lambda: d.feed.tracks["pt"].readers == 0)
        assert (await d.http.put(f"{where}/track?track=fr")).status_code == 404
        both = await d.http.put(f"{where}/track?track=pt.voice&track=original")
        assert both.status_code == 422  # the offer has one audio section
        assert (await d.http.put(f"{where}/track?track=pt.voice")).status_code == 204
        assert peer.sounds == ("pt.voice",)
        assert (await d.http.delete(where)).status_code == 200
        assert peer.closed.is_set()
        assert (await d.http.delete(where)).status_code == 404
        assert len(d.peers) == 0
        assert d.feed.voices["pt.voice"].readers == 0
        await viewer.close()


async def test_a_publisher_comes_and_goes(clip: Path) -> None:
    async with daemon(clip) as d, file_feed(clip) as other:
        publisher = Publisher(other)
        created = await d.http.post(
            "/sessions/s/whip", content=await publisher.offer(), headers=SDP
        )
        assert created.status_code == 201, created.text
        await publisher.accept(created.text)
        async for batch in d.published[0].batches():
            if batch:
                break
        assert (await d.http.delete(created.headers["location"])).status_code == 200
        assert d.published[0].ended.is_set()
        await publisher.close()


async def test_whoever_closes_the_connection_is_forgotten(clip: Path) -> None:
    async with daemon(clip) as d:
        viewer = Viewer()
        offer = await viewer.offer()
        created = await d.http.post("/sessions/s/whep", content=offer, headers=SDP)
        await viewer.accept(created.text)
        await until(lambda: bool(viewer.packets["audio"]))
        await viewer.close()
        await until(lambda: len(d.peers) == 0)
        assert d.feed.picture.readers == 0


async def test_mistakes_are_told_as_problem_documents(clip: Path) -> None:
    async with daemon(clip, most=1) as d:
        viewer = Viewer()
        offer = await viewer.offer()

        async def problem(status: int, path: str, content: str, **headers: str) -> str:
            response = await d.http.post(path, content=content, headers=SDP | headers)
            assert response.status_code == status, response.text
            assert response.headers["content-type"] == "application/problem+json"
            document = response.json()
            assert document["status"] == status
            return str(document["detail"])

        await problem(415, "/sessions/s/whep", offer, **{"content-type": "text/plain"})
        await problem(413, "/sessions/s/whep", "v=0\r\n" * 20_000)
        await problem(401, "/sessions/s/whep", offer, authorization="Bearer wrong")
        assert "'x'" in await problem(404, "/sessions/x/whep", offer)
        assert "pt" in await problem(404, "/sessions/s/whep?track=fr", offer)
        assert "SDP" in await problem(400, "/sessions/s/whep", "nonsense")
        await problem(422, "/sessions/s/whip", offer)  # a viewer's offer
        no_opus = offer.replace("opus/48000/2", "speex/16000")
        assert "Opus" in await problem(422, "/sessions/s/whep", no_opus)
        await problem(404, "/sessions/x/whip", await sender_offer(clip))
        created = await d.http.post("/sessions/s/whep", content=offer, headers=SDP)
        assert created.status_code == 201
        assert "there are 1 clients" in await problem(503, "/sessions/s/whep", offer)
        where = created.headers["location"]
        patched = await d.http.patch(where, content="a=ice-ufrag:x")
        assert patched.status_code == 405
        assert patched.headers["allow"] == "DELETE, OPTIONS"
        options = await d.http.options("/sessions/s/whip")
        assert options.headers["accept-post"] == "application/sdp"
        await viewer.close()


async def sender_offer(clip: Path) -> str:
    async with file_feed(clip) as feed:
        publisher = Publisher(feed)
        offer = await publisher.offer()
        await publisher.close()
    return offer
