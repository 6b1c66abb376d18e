"""A model that hangs in the live daemon, and what viewers get meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.demo_clip import Clip
from server.config import Config
from server.engines.pool import EnginePool
from server.engines.shared import SharedEngine
from stages import registry
from stream.timeline import TICK_RATE
from tests.helpers.hanging import HangingEspeak
from tests.helpers.live_server import LiveServer
from tests.helpers.scripted import ScriptedPool
from tests.helpers.ws_server import Heard, listening

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

HEARD, GIVEN_UP = {"on_time", "late"}, ("failed", "dropped")


class RealVoice(ScriptedPool):
    """What is said is scripted; the voice is made, used and made anew as in production."""

    async def engine(self, kind: str, config: Config, owner: str) -> SharedEngine:
        pool = EnginePool if kind == "tts" else ScriptedPool
        return await pool.engine(self, kind, config, owner)


@pytest.fixture
def speech(clip: Clip, tmp_path: Path) -> Path:
    """The clip over and over, for longer than the test takes."""
    path = tmp_path / "speech.mp4"
    loop = ("-stream_loop", "19", "-i", str(clip.path), "-c", "copy")
    subprocess.run(["ffmpeg", "-v", "error", *loop, str(path)], check=True)
    return path


@asynccontextmanager
async def _hearing(url: str, track: str) -> AsyncIterator[Heard]:
    async with listening(url, f"track={track}&channels=1") as heard:
        receiving = asyncio.create_task(heard.all())
        try:
            yield heard
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)


async def _until(condition: Callable[[], object], within: float = 60) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def _metrics(url: str) -> dict[str, float]:
    """Values by name and labels."""
    text = httpx.get(f"{url}/metrics").text
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _events(heard: Heard, kind: str) -> list[dict[str, Any]]:
    return [event for event in heard.of("event") if event["kind"] == kind]


def _of(heard: Heard, start: int, end: int) -> NDArray[np.float32]:
    """Mono between two media times; a frame that a busy machine missed is silence."""
    sound = np.zeros(end, np.float32)
    for frame in heard.frames:
        assert frame.time is not None
        block = np.frombuffer(frame.payload, "<i2")[: max(0, end - frame.time)]
        sound[frame.time : frame.time + len(block)] = block / 32768
    return sound[start:]


async def test_a_voice_that_hangs_in_its_own_thread_costs_what_it_was_to_speak_and_no_more(
    speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    espeak = registry.ENGINES["tts"]["espeak"]
    hanging = dataclasses.replace(espeak, factory="tests.helpers.hanging:HangingEspeak")
    engines = {**registry.ENGINES, "tts": {**registry.ENGINES["tts"], "espeak": hanging}}
    monkeypatch.setattr(registry, "ENGINES", engines)
    # No deadline is set: what could no longer be heard is not waited for.
    server = LiveServer(
        f"serve.files={speech.parent}", "tts.engine=espeak", "playout.delay=5",
        "playout.max_late=0.5", "playout.bed=mute", pool=RealVoice,
    )  # fmt: skip

    async def run() -> tuple[Heard, Heard, dict[str, float]]:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            spec = {"id": "live", "source": str(speech), "hls": False}
            assert (await client.post("/sessions", json=spec)).status_code == 201
            url = server.url.replace("http", "ws")
            async with _hearing(url, "pt") as dubbed, _hearing(url, "original") as original:

                def heard_since(id_: int) -> bool:
                    fates = _events(dubbed, "fate")
                    return any(f["fate"] in HEARD and f["utterance"] > id_ for f in fates)

                await _until(lambda: heard_since(-1))
                HangingEspeak.stuck.set()
                await _until(lambda: HangingEspeak.copies >= 2)
                newest = _events(dubbed, "transcript")[-1]["utterance"]
                await _until(lambda: heard_since(newest))
                metrics = await asyncio.to_thread(_metrics, server.url)
            await client.delete("/sessions/live", params={"drain": "false"})
        return dubbed, original, metrics

    try:
        dubbed, original, metrics = await run()
    finally:
        HangingEspeak.released.set()
        server.close()
    assert server.errors == []
    assert not [t.name for t in threading.enumerate() if t.name == "livedub-espeak"]

    fates = {message["utterance"]: message["fate"] for message in _events(dubbed, "fate")}
    print(fates, HangingEspeak.hung)
    assert HangingEspeak.hung >= 2
    unspoken = [id_ for id_, fate in fates.items() if fate not in HEARD]
    assert len(unspoken) >= 2
    assert metrics["livedub_engine_restarts_total tts"] >= 1
    assert metrics["livedub_stage_faults_total tts"] >= HangingEspeak.hung
    given_up = sum(metrics.get(f"livedub_utterances_total {f} live pt", 0) for f in GIVEN_UP)
    assert given_up >= len(unspoken)
    # Captions go on.
    spoken = {message["utterance"]: message for message in _events(dubbed, "transcript")}
    translated = {message["utterance"] for message in _events(dubbed, "translation")}
    assert set(range(min(spoken), max(fates) + 1)) <= set(spoken)
    assert set(unspoken) <= translated
    # Where the bed would be mute, the original is heard within a second.
    last = min(h.frames[-1].time or 0 for h in (dubbed, original))
    for id_ in unspoken:
        start, end = spoken[id_]["start"] + TICK_RATE, min(spoken[id_]["end"], last)
        ours, theirs = _of(dubbed, start, end), _of(original, start, end)
        assert np.abs(theirs).max() > 0.01
        assert np.allclose(ours, theirs, atol=2e-3)
