"""The operator's page in a real Chromium, with a publisher by RTMP and scripted engines."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.demo_clip import Clip
from tests.helpers.chromium import needs_chromium
from tests.helpers.live_server import LiveServer
from tests.helpers.web_page import PALE, opened, prefer

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"),
]

TOKEN = "a-token-for-the-daemon"
CARD = "document.querySelector('.session')"
GLOSSARY = """(async () => {
  const glossary = document.querySelector(".glossary:not([hidden])");
  glossary.open = true;
  await new Promise((done) => setTimeout(done, 500));
  glossary.querySelector("textarea").value = "harbour = porto";
  glossary.querySelector(".keep").click();
})()"""
CREATE = """
$("new").open = true;
$("name").value = "quay";
$("targets").value = "pt, en";
$("create").requestSubmit();
"""
MUTE = f"{CARD}.querySelectorAll('.track > button')[1]"


@pytest.fixture
def served(clip: Clip) -> Iterator[LiveServer]:
    spec = "serve.sessions=[{id: ferry, key: ferry-demo, hls: false}]"
    server = LiveServer(f"serve.token={TOKEN}", "playout.delay=2", "serve.rtmp_port=0", spec)
    source = ("-stream_loop", "-1", "-i", str(clip.path), "-c:v", "copy", "-c:a", "aac")
    command = ["ffmpeg", "-v", "error", "-re", *source]
    publisher = subprocess.Popen([*command, "-f", "flv", f"{server.rtmp}/ferry-demo"])
    try:
        yield server
    finally:
        publisher.kill()
        publisher.wait()
        server.close()


async def test_an_operator_watches_over_sessions_and_steps_in(
    served: LiveServer, tmp_path: Path
) -> None:
    async with opened(f"{served.url}/operate") as page:
        # With the wrong token, or none, nothing is shown but what to do.
        await page.until("!$('token-form').hidden")
        await page.evaluate(f"$('token').value = '{TOKEN}'; $('token-form').requestSubmit()")
        await page.until(f"$('token-form').hidden && {CARD}?.querySelector('img')?.naturalWidth")
        await page.until(f"{CARD}.querySelector('meter').value > -50")
        await page.until(f"/[1-9] on time/.test({CARD}.textContent)", within=90)
        (tmp_path / "operate.png").write_bytes(await page.screenshot())
        assert await page.evaluate(PALE) == []
        await prefer(page, "light")
        assert await page.evaluate(PALE) == []
        await page.evaluate(f"{MUTE}.click()")
        await page.until(f"{MUTE}.getAttribute('aria-pressed') === 'true'")
        await page.until("shows('sessions', 'Unmute') && shows('sessions', 'Dubs on air')")
        await page.evaluate(f"{CARD}.querySelector('.original').click()")
        await page.until(f"{MUTE}.textContent === 'Mute'")
        await page.evaluate(GLOSSARY)
        await page.until("shows('sessions', 'Kept')")
        # On a phone nothing is wider than the screen.
        await page.call("Emulation.setDeviceMetricsOverride", width=360, height=740,
                        deviceScaleFactor=1, mobile=True)  # fmt: skip
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.evaluate(CREATE)
        await page.until("document.querySelectorAll('.session').length === 2")
        assert len(await page.evaluate("$('key').textContent")) > 8
        await page.evaluate("window.confirm = () => true; "
                            "[...document.querySelectorAll('.end')].at(-1).click()")  # fmt: skip
        await page.until("document.querySelectorAll('.session').length === 1")
    assert served.errors == []
