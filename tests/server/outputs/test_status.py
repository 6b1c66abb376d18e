"""What operators see of outputs and of the source, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

import server.outputs.push
from server.outputs.push import Push
from stream.timeline import FRAME, TICK_RATE, seconds
from tests.helpers.feeds import file_feed
from tests.helpers.live_server import LiveServer
from tests.helpers.nginx_rtmp import Nginx, needs_nginx
from tests.helpers.rtc import Publisher, lossy_network
from tests.helpers.streams import small_source

KEY = "a-publishers-key"
SECRETS = ("somebody", "passphrase", "stream-key", "hush")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_source(tmp_path_factory.mktemp("source") / "source.mp4", length=30)


class Operator:
    """Who reads a daemon's state."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)

    def create(self, **spec: Any) -> None:
        created = self.http.post("/sessions", json={"id": "a", "key": KEY, **spec})
        assert created.status_code == 201, created.text

    def shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.http.get("/sessions/a").json()
        return shown

    def output(self, number: int) -> dict[str, Any]:
        output: dict[str, Any] = self.shown()["outputs"][number]
        return output

    def metrics(self, **labels: str) -> dict[str, float]:
        """Values by name of the series with these labels."""
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        return {
            sample.name: sample.value
            for family in families
            for sample in family.samples
            if labels.items() <= sample.labels.items()
        }

    def until(self, condition: Callable[[], bool], within: float = 60) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.shown()
            time.sleep(0.1)


@contextlib.contextmanager
def daemon(*settings: str) -> Iterator[Operator]:
    running = LiveServer("playout.delay=1.5", "serve.hosts=['*']", *settings)
    operator = Operator(running.url)
    try:
        yield operator
    finally:
        operator.http.close()
        running.close()
    assert running.errors == []


@needs_nginx
def test_outputs_that_fail_are_seen_and_end_nothing_else(
    source: Path,
    tmp_path: Path,
    nginx: Nginx,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    nginx.start()
    monkeypatch.setattr(server.outputs.push, "FIRST_PAUSE_S", 0.4)
    (tmp_path / "in-the-way").write_text("a file, where there should be a folder")
    url = nginx.url.replace("127.0.0.1", "somebody:passphrase@127.0.0.1")
    url = url.replace("live/show", "live/stream-key?token=hush")
    caplog.set_level(logging.INFO)
    with daemon(
        f"serve.files={source.parent}", f"serve.recordings={tmp_path / 'in-the-way'}"
    ) as operator:
        operator.create(source=str(source), outputs=[{"url": url}, {"record": "show.mp4"}])
        target = f"rtmp://127.0.0.1:{nginx.port}"
        operator.until(lambda: operator.output(2)["state"] == "failed")
        operator.until(lambda: operator.shown()["position_s"] > 2)
        well = {
            "failure": None,
            "reconnects": 0,
            "missed_s": 0.0,
            "missed_pictures": 0,
            "link": None,
        }
        assert operator.shown()["outputs"] == [
            {"kind": "hls", "target": "master.m3u8", "state": "running", **well},
            {"kind": "push", "target": target, "state": "running", **well},
            {
                "kind": "recording",
                "target": "show.mp4",
                "state": "failed",
                **well,
                "failure": "the recording 'show.mp4' has ended: File exists",
            },
        ]
        assert operator.shown()["transport"] == "pull"
        assert operator.metrics(session="a", output="0", kind="hls") == {
            "livedub_output_failed": 0,
            "livedub_output_reconnects_total": 0,
            "livedub_output_missed_seconds_total": 0,
            "livedub_output_missed_pictures_total": 0,
        }
        assert operator.metrics(output="2")["livedub_output_failed"] == 1
        assert operator.metrics(output="1")["livedub_output_failed"] == 0

        nginx.kill()
        operator.until(lambda: operator.output(1)["state"] == "retrying")
        assert f"the push to {target} broke off: " in operator.output(1)["failure"]
        assert operator.metrics(output="1")["livedub_output_failed"] == 1
        operator.until(lambda: operator.output(1)["missed_s"] > 0.5)
        assert operator.shown()["state"] == "live"

        nginx.start()
        operator.until(lambda: operator.output(1)["state"] == "running")
        back = operator.output(1)
        assert back["reconnects"] == 1 and back["failure"] is None
        metrics = operator.metrics(output="1", kind="push")
        assert metrics["livedub_output_reconnects_total"] == 1
        assert metrics["livedub_output_missed_seconds_total"] == pytest.approx(back["missed_s"])
        assert metrics["livedub_output_failed"] == 0
        position = operator.shown()["position_s"]
        operator.until(lambda: operator.shown()["position_s"] > position + 0.5)
        assert operator.shown()["state"] == "live" and operator.shown()["error"] is None

        everything = operator.http.get("/sessions").text + operator.http.get("/metrics").text
        said = [record.getMessage() for record in caplog.records]
        assert [word for word in SECRETS if word in everything + "\n".join(said)] == []
        assert str(tmp_path) not in everything
        assert sum("show.mp4" in line for line in said) == 1
        assert sum("broke off" in line for line in said) >= 1
        assert sum("is connected again" in line for line in said) == 1

        assert operator.http.delete("/sessions/a", params={"drain": False}).status_code == 204
        assert operator.metrics(session="a") == {}


def test_an_output_with_a_fault_of_ours_is_one_failed_output(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(self: Push) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Push, "run", broken)
    with daemon() as operator:
        operator.create(hls=False, outputs=[{"url": "udp://127.0.0.1:9"}])
        operator.until(lambda: operator.output(0)["state"] == "failed")
        assert operator.output(0)["failure"] == (
            "the push has failed by a fault in livedub: ZeroDivisionError"
        )
        operator.until(lambda: operator.shown()["state"] == "waiting")
        assert sum(record.levelname == "ERROR" for record in caplog.records) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a", "rtsp://127.0.0.1/a", "rtmp://", "rtmp://a:b/c", "rtmp://x@/y"]
)
def test_what_cannot_be_pushed_to_is_refused_when_a_session_is_made(url: str) -> None:
    with daemon() as operator:
        refused = operator.http.post("/sessions", json={"outputs": [{"url": url}]})
        assert refused.status_code == 422
        assert re.match(
            "an output's url is rtmp://|the URL (has|names) no", refused.json()["detail"]
        )
        assert operator.http.get("/sessions").json() == []


@pytest.mark.quiet  # what comes too late is made up as well
async def test_sound_made_up_for_lost_packets_is_counted(source: Path) -> None:
    async def publish(operator: Operator) -> int:
        async with file_feed(source, tracks=()) as feed, httpx.AsyncClient() as client:
            publisher = Publisher(feed, codec="")
            answer = await client.post(
                f"{operator.http.base_url}/sessions/a/whip",
                content=await publisher.offer(),
                headers={"Content-Type": "application/sdp", "Authorization": f"Bearer {KEY}"},
            )
            assert answer.status_code == 201, answer.text
            await publisher.accept(answer.text)
            await asyncio.to_thread(operator.until, lambda: operator.shown()["position_s"] > 1)
            assert (await asyncio.to_thread(operator.shown))["concealed_s"] == 0
            lost = lossy_network(publisher.connection, 0.1)
            await asyncio.to_thread(operator.until, lambda: operator.shown()["concealed_s"] > 0.2)
            assert (await asyncio.to_thread(operator.shown))["transport"] == "whip"
            await publisher.close()
            return lost["sent"]

    with daemon() as operator:
        operator.create(hls=False)
        lost = await publish(operator)
        operator.until(lambda: not operator.shown()["connected"])
        shown = operator.shown()
        assert shown["transport"] is None
        # Reports are lost as well, and a loss at the very end cannot be known.
        assert 0.2 < shown["concealed_s"] <= lost * seconds(FRAME)
        metrics = operator.metrics(session="a")
        total = metrics["livedub_session_concealed_seconds_total"]
        assert total == pytest.approx(shown["concealed_s"], abs=0.001)


def test_a_websocket_publisher_is_called_one() -> None:
    with daemon() as operator:
        operator.create(hls=False)
        url = f"{str(operator.http.base_url).replace('http', 'ws')}/sessions/a/publish?framing=raw"
        with connect(url, additional_headers={"Authorization": f"Bearer {KEY}"}) as socket:
            assert json.loads(socket.recv())["type"] == "hello"
            socket.send(np.zeros(TICK_RATE // 10, "<i2").tobytes())
            operator.until(lambda: operator.shown()["transport"] == "websocket")
        operator.until(lambda: operator.shown()["transport"] is None)
