"""The protocol from a real browser, by the few lines of JavaScript that it takes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from server.websocket.gate import Gate
from server.websocket.listen import listen_router
from server.websocket.programme import Programmes
from stream.timeline import FRAME
from tests.helpers.feeds import file_feed
from tests.helpers.ws_server import serving, talk

PAGE = """
<script>
const heard = {frames: [], sums: [], kinds: []};
const base = location.origin.replace("http", "ws") + "/sessions/live/listen?";
function refused() {
  const socket = new WebSocket(base + "track=xx", "livedub.v1");
  socket.onclose = event => {
    heard.refused = [event.code, event.reason];
    fetch("/heard", {method: "POST", body: JSON.stringify(heard)});
  };
}
const socket = new WebSocket(base + "channels=1", "livedub.v1");
socket.binaryType = "arraybuffer";
socket.onmessage = message => {
  if (typeof message.data === "string") {
    heard.kinds.push(JSON.parse(message.data).type);
    return;
  }
  const header = new DataView(message.data);
  const samples = new Int16Array(message.data, 16);
  heard.frames.push([Number(header.getBigInt64(8, true)), header.getUint32(4, true)]);
  heard.sums.push(samples.reduce((sum, sample) => sum + sample, 0));
};
socket.onclose = event => { heard.closed = event.code; refused(); };
</script>
"""


async def test_a_browser_hears_the_same_and_sees_why_it_is_refused(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not installed")
    path = tmp_path / "talk.wav"
    samples = talk(path, seconds=10, channels=1)[:, 0]
    origins: list[str] = []

    async def run() -> dict[str, Any]:
        reported: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        page = APIRouter()

        @page.get("/", response_class=HTMLResponse)
        async def index() -> str:
            return PAGE

        @page.post("/heard")
        async def heard(request: Request) -> None:
            reported.set_result(json.loads(await request.body()))

        gate = Gate(lambda connection, *_: origins.append(connection.headers["origin"]))
        async with file_feed(path, delay=1, speed=2) as feed:
            programmes = Programmes({"live": feed}.__getitem__)
            async with serving(page, listen_router(programmes, gate)) as url:
                process = await asyncio.create_subprocess_exec(
                    browser,
                    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
                    f"--user-data-dir={tmp_path / 'profile'}",
                    url.replace("ws:", "http:"),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                try:
                    async with asyncio.timeout(40):
                        return await reported
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        process.terminate()
                    await process.wait()
                    await programmes.aclose()

    heard = await run()
    assert heard["closed"] == 1000
    assert heard["kinds"][0] == "hello"
    assert heard["kinds"][-1] == "end"
    assert heard["refused"] == [4404, "There is no track 'xx': choose from original, pt, pt.voice"]
    assert origins[0].startswith("http://127.0.0.1:")
    times = [time for time, _ in heard["frames"]]
    assert len(times) > 10
    assert times == list(range(times[0], len(samples), FRAME))
    pcm = np.clip(-samples * 32768, -32768, 32767).astype(int)
    assert heard["sums"] == [int(pcm[time : time + FRAME].sum()) for time in times]
