"""WHEP and WHIP with a real browser."""

import asyncio
import contextlib
import io
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from server.webrtc.peers import Peers
from server.webrtc.routes import webrtc_router
from server.webrtc.whip import WhipSource
from stream.live.connection import Connection
from stream.live.feed import Feed
from stream.timeline import TICK_RATE
from tests.helpers.chromium import Page, chromium, needs_chromium
from tests.helpers.feeds import file_feed
from tests.helpers.received import Received
from tests.helpers.rtc import flashes, nothing_left, until

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"),
]

HIGH = ("-preset", "medium", "-profile:v", "high", "-bf", "0")
"""What most encoders send; it passes untouched where a browser offers a profile that covers it."""

PAGE = """<!doctype html><title>livedub</title>
<video id=v autoplay playsinline style="width:600px;height:400px"></video>
<script>
const pc = new RTCPeerConnection();
const gathered = () => new Promise(done => {
  if (pc.iceGatheringState === 'complete') done();
  pc.addEventListener('icegatheringstatechange',
    () => pc.iceGatheringState === 'complete' && done());
});
async function negotiate(url) {
  await pc.setLocalDescription(await pc.createOffer());
  await gathered();
  const answer = await fetch(url, {method: 'POST', body: pc.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp'}});
  if (answer.status !== 201) throw new Error(await answer.text());
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  return answer.headers.get('Location');
}
async function play() {
  pc.createDataChannel('chat');
  pc.addTransceiver('video', {direction: 'recvonly'});
  pc.addTransceiver('audio', {direction: 'recvonly'});
  const stream = new MediaStream();
  pc.ontrack = event => { stream.addTrack(event.track); };
  document.getElementById('v').srcObject = stream;
  return await negotiate('/sessions/s/whep?track=pt');
}
async function publish(codec) {
  const stream = await navigator.mediaDevices.getUserMedia(
    {video: {width: 320, height: 240}, audio: true});
  for (const track of stream.getTracks()) {
    const transceiver = pc.addTransceiver(track, {direction: 'sendonly', streams: [stream]});
    if (track.kind === 'video') transceiver.setCodecPreferences(
      RTCRtpSender.getCapabilities('video').codecs.filter(c => c.mimeType === codec));
  }
  return await negotiate('/sessions/s/whip');
}
async function stats(kind) {
  for (const s of (await pc.getStats()).values())
    if (s.type === 'inbound-rtp' && s.kind === kind) return s;
  return {};
}
async function apart() {
  const [v, a] = await Promise.all([stats('video'), stats('audio')]);
  return v.estimatedPlayoutTimestamp - a.estimatedPlayoutTimestamp;
}
</script>"""


class Site:
    """The routes behind a real HTTP server, and the page above."""

    def __init__(self, feed: Feed) -> None:
        self.peers = Peers()
        self.published: list[WhipSource] = []
        self.app = FastAPI()
        self.app.include_router(
            webrtc_router({"s": feed}.__getitem__, self.admit, lambda *_: None, self.peers)
        )
        self.app.get("/", response_class=HTMLResponse)(lambda: PAGE)
        self.url = ""

    async def admit(self, session: str, connection: Connection) -> None:
        assert isinstance(connection, WhipSource)
        self.published.append(connection)


@contextlib.asynccontextmanager
async def site(feed: Feed) -> AsyncIterator[Site]:
    made = Site(feed)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        config = uvicorn.Config(made.app, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield made
        finally:
            await made.peers.aclose()
            for source in made.published:
                await source.aclose()
            server.should_exit = True
            await serving


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashes(tmp_path_factory.mktemp("browser") / "flash.mkv", length=30, extra=HIGH)


@pytest.fixture(scope="module")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "b.mkv"
    return flashes(path, length=30, extra=("-preset", "fast", "-bf", "2"))


async def bright(page: Page) -> bool:
    """Whether the picture is bright just now."""
    with av.open(io.BytesIO(await page.screenshot())) as png:
        shown = next(png.decode(video=0)).to_ndarray(format="gray")
    return bool(shown[100:300, 200:400].mean() > 200)


@pytest.mark.parametrize("which", ["clip", "reordered"])
async def test_a_browser_plays_a_feed(which: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(which)

    async with chromium() as page, file_feed(path) as feed, site(feed) as served:
        await page.open(served.url)
        await page.evaluate("play()")
        await page.until("stats('video').then(s => s.framesDecoded > 60)")
        await page.until("stats('audio').then(s => s.totalAudioEnergy > 0)")
        seen = set()
        async with asyncio.timeout(8):
            while seen != {True, False}:
                seen.add(await bright(page))
        # The browser moves picture and sound together step by step, as our reports say.
        await page.until("apart().then(ms => Math.abs(ms) < 80)")
        video = await page.evaluate("stats('video')")
        print("played apart, ms:", await page.evaluate("apart()"), video["packetsLost"], "lost")
        assert video["framesDropped"] < 0.2 * video["framesDecoded"]
        await page.evaluate("pc.close()")
        await until(lambda: len(served.peers) == 0)
    await nothing_left()


@pytest.mark.parametrize("codec", ["video/H264", "video/VP8"])
async def test_a_browser_publishes(codec: str, clip: Path) -> None:
    async with chromium() as page, file_feed(clip) as feed, site(feed) as served:
        await page.open(served.url)
        if not await page.evaluate(
            f"RTCRtpSender.getCapabilities('video').codecs.some(c => c.mimeType=='{codec}')"
        ):
            pytest.skip(f"this Chromium does not code {codec}")
        await page.evaluate(f"publish('{codec}')")
        (source,) = served.published
        got = Received()
        reading = asyncio.create_task(got.read(source))
        await until(lambda: got.seconds() > 4 or reading.done(), 20)
        await page.evaluate("pc.close()")
        await asyncio.wait_for(source.ended.wait(), 5)
        await reading
        picture = got.pictures[0]
        assert picture.key
        assert picture.format.codec == codec[6:].lower()
        assert picture.format.width > 0
        sound = np.concatenate([chunk.samples for chunk in got.chunks])
        assert np.abs(sound).max() > 0.01  # the fake device beeps
        assert len(got.pictures) > 30
        behind = (got.chunks[-1].end - got.pictures[-1].time) / TICK_RATE
        print(codec, len(got.pictures), "pictures, behind the sound, s:", round(behind, 3))
        assert abs(behind) < 0.5
        assert source._align is not None and source._align.aligned
    await nothing_left()
