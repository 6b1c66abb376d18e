"""hls.js in a real Chromium: what stock players make of what is written."""

import asyncio
import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.requests import HTTPConnection

from server.access import Right
from server.hls.output import HlsOutput
from server.hls.reload import LivePlaylists
from server.hls.routes import hls_router
from stream.timeline import TICK_RATE
from tests.helpers.bare_feed import bare_feed, moved, play
from tests.helpers.chromium import Page, chromium, needs_chromium
from tests.helpers.feeds import file_feed
from tests.helpers.streams import pictures_of, small_source

WEB = Path(__file__).parents[2] / "server" / "web"

PAGE = """<!doctype html><video muted></video><script src="/hls.min.js"></script><script>
const video = document.querySelector("video");
const low = location.search === "?low";
const near = {liveSyncDuration: 1.5, liveMaxLatencyDuration: 3.5, maxLiveSyncPlaybackRate: 1.2};
const hls = new Hls(low ? {lowLatencyMode: true, ...near} : {liveSyncDurationCount: 2});
const seen = {errors: [], holes: [], tracks: [], starts: {}, urls: [], parts: 0, asked: {}};
hls.on(Hls.Events.LEVEL_LOADED, (_, data) => {
  for (const name of new URL(data.networkDetails.responseURL).searchParams.keys())
    seen.asked[name] = (seen.asked[name] ?? 0) + 1;
});
hls.on(Hls.Events.ERROR, (_, data) => {
  seen.errors.push(`${data.details} ${data.fatal}`);
  if (data.details == "bufferSeekOverHole") seen.holes.push(video.currentTime);
});
hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, (_, data) => seen.tracks.push(data.name));
hls.on(Hls.Events.FRAG_BUFFERED, (_, data) => {
  seen.urls.push(data.frag.relurl);
  if (data.part) seen.parts += 1;
  if (data.frag.type == "main") seen.starts[data.frag.sn] = data.frag.start;
});
hls.attachMedia(video);
const begin = async () => {
  // The playlist is there with the first segment.
  const url = "/sessions/one/hls/master.m3u8";
  while (!(await fetch(url)).ok) await new Promise(again => setTimeout(again, 200));
  hls.loadSource(url);
  video.play();
};
begin();
</script>"""

STATE = """JSON.stringify({
  ...seen, time: video.currentTime, size: [video.videoWidth, video.videoHeight],
  names: hls.audioTracks.map(track => track.name), texts: hls.subtitleTracks.map(t => t.lang),
  cues: [...video.textTracks].flatMap(t => t.cues ? [...t.cues] : [])
    .map(cue => [cue.text, cue.startTime, cue.endTime]),
  frames: video.getVideoPlaybackQuality().totalVideoFrames,
  decoded: video.webkitAudioDecodedByteCount,
})"""


async def look(page: Page) -> dict[str, Any]:
    return json.loads(await page.evaluate(STATE))  # type: ignore[no-any-return]


@contextlib.asynccontextmanager
async def served(folder: Path, live: LivePlaylists | None = None) -> AsyncIterator[str]:
    def anyone(request: HTTPConnection, session: str, right: Right) -> None: ...

    app = FastAPI()
    app.include_router(hls_router(lambda _: folder, anyone, live=lambda _: live))
    app.add_api_route("/", lambda: HTMLResponse(PAGE))
    app.add_api_route("/hls.min.js", lambda: FileResponse(WEB / "hls.min.js"))
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has nothing to wait for
        await asyncio.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        await serving


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@needs_chromium
@pytest.mark.quiet
async def test_chromium_plays_switches_the_sound_and_shows_subtitles(tmp_path: Path) -> None:
    source = small_source(tmp_path / "source.mp4", length=40)

    async def run() -> None:
        folder = tmp_path / "hls"
        async with file_feed(source) as feed, served(folder) as url:
            languages = {"pt": ("pt", "Português"), "original": ("en", "English")}
            output = HlsOutput(feed, folder, segment=1.0, languages=languages)
            running = asyncio.create_task(output.run())
            async with chromium() as page:
                await page.open(url)
                await page.until("seen.tracks.length == 1 && video.currentTime > 0", within=90)
                state = await look(page)
                assert state["size"] == [160, 90]
                assert state["names"] == ["Português", "English"]
                assert state["tracks"] == ["Português"]
                assert state["texts"] == ["pt", "en"]

                await page.until(f"video.currentTime > {state['time'] + 2}")
                await page.evaluate("hls.audioTrack = 1, null")
                await page.until("seen.tracks.length == 2")
                await page.until("seen.urls.some(url => url.includes('audio-original'))")
                await page.evaluate("hls.subtitleTrack = 0, null")
                switched = (await look(page))["time"]
                await page.until(f"video.currentTime > {switched + 3}")

                state = await look(page)
                assert state["tracks"] == ["Português", "English"]
                assert state["frames"] > 75 and state["decoded"] > 10_000
                assert not [error for error in state["errors"] if error.endswith("true")]
                cues = {int(text.split()[1]): start for text, start, _ in state["cues"]}
                both = [sn for sn in cues if str(sn) in state["starts"]]
                assert len(both) >= 2
                for second in both:
                    # Segment n is second n of the media, and so is cue n.
                    assert cues[second] == pytest.approx(state["starts"][str(second)], abs=0.05)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    await asyncio.wait_for(run(), 90)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@needs_chromium
@pytest.mark.quiet
async def test_chromium_plays_part_by_part_and_asks_ahead(tmp_path: Path) -> None:
    source = small_source(tmp_path / "source.mp4", length=40)

    async def run() -> None:
        async with file_feed(source) as feed:
            output = HlsOutput(feed, tmp_path / "hls")
            running = asyncio.create_task(output.run())
            async with served(tmp_path / "hls", output.playlists) as url, chromium() as page:
                await page.open(f"{url}?low")
                await page.until("seen.parts > 4 && video.currentTime > 0")
                assert await page.evaluate("hls.levels[0].details.partHoldBack") == 1.5
                began = await look(page)
                await page.until(f"video.currentTime > {began['time'] + 6}")
                await page.until("seen.asked._HLS_msn > 8 && seen.asked._HLS_part > 8")
                state = await look(page)
                assert not [error for error in state["errors"] if error.endswith("true")]
                # How near it stays depends on the machine: benchmarks/low_latency.py.
                assert state["parts"] > 24 and state["frames"] > 120
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    await asyncio.wait_for(run(), 90)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@needs_chromium
async def test_chromium_plays_through_a_stall_and_another_coding(tmp_path: Path) -> None:
    """The picture stands still from 1.5 to 5 s, and is twice as large from 7 s on."""
    small = pictures_of(small_source(tmp_path / "small.mp4", length=4))
    large = pictures_of(small_source(tmp_path / "l.mp4", length=3, extra=("-vf", "scale=320:180")))
    pictures = [
        *(one for one in small if one.time < 1.5 * TICK_RATE),
        *(moved(one, 3) for one in small if one.time >= 2 * TICK_RATE),
        *(moved(one, 7.1) for one in large),
    ]

    async def run() -> None:
        folder = tmp_path / "hls"
        async with bare_feed() as feed:
            output = HlsOutput(feed, folder, segment=1.0, window=50)
            running = asyncio.create_task(output.run())
            await play(feed, pictures, 0, 10)
            feed.close()
            await running
        async with served(folder) as url, chromium() as page:
            await page.open(url)
            await page.until("video.currentTime > 0.5", within=90)
            assert (await look(page))["size"] == [160, 90]
            await page.until("video.currentTime > 8.5 && video.videoWidth == 320", within=90)
            state = await look(page)
            assert not [error for error in state["errors"] if error.endswith("true")]
            # All pictures but those of the stall, and none that could not be decoded.
            assert state["frames"] > 100
            # hls.js starts a discontinuity by its decoding time, and so jumps over the reordering.
            assert all(abs(hole - 7.1) < 0.3 for hole in state["holes"]), state["holes"]

    await asyncio.wait_for(run(), 90)


def test_the_vendored_player_is_the_one_that_is_stated() -> None:
    digest = hashlib.sha256((WEB / "hls.min.js").read_bytes()).hexdigest()
    stated = (WEB / "VENDORED.md").read_text()
    assert digest in stated
    version = re.search(r"hls\.js (\d+\.\d+\.\d+)", stated)
    assert version and version[1] in (WEB / "hls.min.js").read_text()
