"""A whole session: its publisher comes by SRT, and it goes out as MPEG-TS and by WHIP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.outputs.retention import CONTAINERS
from tests.helpers.daemons import Served, served
from tests.helpers.srt_peer import needs_srt, publishing
from tests.helpers.streams import small_source
from tests.helpers.transport_packets import transport
from tests.helpers.whip_server import answering

pytestmark = needs_srt

KEY = "a-publishers-key"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("clip") / "clip.mp4", length=4)


async def seen(daemon: Served, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The session as the API shows it, once that is so."""
    async with asyncio.timeout(20):
        while not condition(shown := await daemon.shown("a")):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return shown


async def test_what_the_operator_sees(clip: Path, tmp_path: Path) -> None:
    settings = ("serve.srt_port=0", "playout.delay=1.0", f"serve.recordings={tmp_path}")
    with answering(lambda offer: (401, "")) as asked:
        outputs = [{"record": "all.ts"}, {"whip": asked.url, "token": "its-token"}]
        spec = {"id": "a", "key": KEY, "targets": ["pt"], "hls": False, "outputs": outputs}
        async with served(*settings, "serve.hosts=['*']") as daemon:
            created = await daemon.http.post("/sessions", json=spec)
            assert created.status_code == 201, created.text
            port = (await daemon.shown("a"))["srt_port"]
            with publishing(clip, f"srt://127.0.0.1:{port}?streamid={KEY}"):
                shown = await seen(daemon, lambda shown: shown["link"] is not None)
                assert shown["transport"] == "srt" and shown["connected"]
                metrics = (await daemon.http.get("/metrics")).text
                shown = await seen(daemon, lambda shown: shown["outputs"][1]["failure"] is not None)
            await daemon.http.delete("/sessions/a")
    assert "its-token" not in str(shown) and KEY not in str(shown) and "hush" not in str(shown)
    names = {
        sample.name for one in text_string_to_metric_families(metrics) for sample in one.samples
    }
    assert {"livedub_session_rtt_seconds", "livedub_session_packets_total"} <= names
    recorded = tmp_path / "all.ts"
    assert recorded.suffix in CONTAINERS
    found = transport(recorded.read_bytes())
    assert [one.languages for one in found.streams.values()] == [[], ["por"], ["eng"]]
    assert not found.breaks
