"""What an operator sees and hears, and how an operator steps in."""

import asyncio
import io
import shutil
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from server.config import load
from server.http.app import create_app
from server.http.operation import operation_router
from server.sessions.daemon import Daemon
from server.sessions.monitor import FLOOR_DB, LAPSE_S, Monitor
from stream.flow.broadcast import Broadcast
from stream.frames import AudioChunk
from stream.live.feed import ORIGINAL, Feed, voice_of
from stream.timeline import FRAME
from tests.helpers.rtc import until
from tests.helpers.scripted import ScriptedPool
from tests.helpers.streams import pictures_of, small_source

TOKEN = "a-token-for-the-daemon"


def feed() -> Feed:
    tracks = {name: Broadcast[AudioChunk]() for name in (ORIGINAL, "pt")}
    return Feed(lambda time: 0.0, 2, tracks, voices={voice_of("pt"): Broadcast[AudioChunk]()})


@pytest.mark.virtual_time
async def test_levels_are_those_since_the_last_question() -> None:
    shown = feed()
    monitor, voice = Monitor(shown), shown.voices[voice_of("pt")]
    assert await monitor.levels() == {}
    for at, loud in enumerate((0.5, 0.1, 0.1)):
        sound = np.full((FRAME, 2), loud, np.float32)
        shown.tracks[ORIGINAL].publish(AudioChunk(at * FRAME, sound))
        voice.publish(AudioChunk(at * FRAME, 0 * sound))
    power = (0.5**2 + 2 * 0.1**2) / 3
    expected = {ORIGINAL: round(10 * np.log10(power), 1), "pt": FLOOR_DB}
    assert await monitor.levels() == expected
    assert await monitor.levels() == {} and voice.readers == 1
    await asyncio.sleep(LAPSE_S + 1)
    assert voice.readers == 0  # nobody asks any more


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
async def test_the_thumbnail_is_the_newest_keyframe(tmp_path: Path) -> None:
    shown = feed()
    monitor = Monitor(shown)
    assert await monitor.thumbnail() is None
    source = small_source(tmp_path / "s.mp4", length=1, extra=("-vf", "scale=640:360"))
    shown.keyframe = next(one for one in pictures_of(source) if one.key)
    jpeg = await monitor.thumbnail()
    assert jpeg is not None and await monitor.thumbnail() is jpeg
    with av.open(io.BytesIO(jpeg), format="mjpeg") as opened, av.open(str(source)) as original:
        small, large = next(opened.decode(video=0)), next(original.decode(video=0))
    assert (small.width, small.height) == (320, 180)
    reference = large.reformat(320, 180, "gray").to_ndarray().astype(float)
    assert np.abs(small.reformat(format="gray").to_ndarray() - reference).mean() < 6
    shown.keyframe = pictures_of(source)[1]  # nothing that can be decoded alone
    assert await monitor.thumbnail() is None


async def test_the_original_is_taken_on_air_and_back() -> None:
    settings = ("serve.rtmp_port=null", f"serve.token={TOKEN}")
    daemon = Daemon(load(assignments=settings, environment={}))
    daemon.pool = ScriptedPool(on_restart=daemon.metrics.restarted)
    await daemon.start()
    app = create_app(daemon, [operation_router(daemon)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in ("levels", "thumbnail"):
            assert (await client.get(f"/sessions/a/{path}")).status_code == 401
        assert (await client.put("/sessions/a/on-air", json={})).status_code == 401
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        asked = {"id": "a", "targets": ["pt", "en"], "hls": False}
        assert (await client.post("/sessions", json=asked)).status_code == 201
        answer = await client.put("/sessions/a/on-air", json={"en": "original"})
        assert answer.json() == {"pt": "dub", "en": "original"}
        live = daemon.sessions["a"].live
        await until(lambda: live.ready)
        assert live._pipeline is not None
        fades = {lane.name: lane.fader for lane in live._pipeline.lanes}
        # What was asked for before the engines were loaded holds, too.
        assert fades["pt"].on and not fades["en"].on
        both = {"pt": "original", "en": "dub"}
        assert (await client.put("/sessions/a/on-air", json=both)).json() == both
        assert not fades["pt"].on and fades["en"].on
        assert (await client.get("/sessions/a")).json()["on_air"] == both
        wrong = await client.put("/sessions/a/on-air", json={"pt": "dub", "fr": "dub"})
        assert wrong.status_code == 409 and "only pt, en" in wrong.json()["detail"]
        assert not fades["pt"].on
        path = "/sessions/a/glossary"
        assert (await client.get(f"{path}/pt")).json() == {}
        terms = {"hard disk": "disco"}
        assert (await client.put(f"{path}/pt", json=terms)).json() == terms
        assert (await client.get(f"{path}/pt")).json() == terms
        assert live.glossaries == {"pt": terms, "en": {}}
        assert (await client.put(f"{path}/pt", json={"": "x"})).status_code == 422
        assert (await client.put(f"{path}/fr", json={})).status_code == 404
        assert (await client.get("/sessions/a/levels")).json() == {"levels": {}}
        assert (await client.get("/sessions/a/thumbnail")).status_code == 404
    await daemon.aclose()
