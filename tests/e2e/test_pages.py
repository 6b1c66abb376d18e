"""The player and the publish page in a real Chromium, against a real daemon."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.demo_clip import Clip
from tests.helpers.chromium import Browser, Page, needs_chromium
from tests.helpers.live_server import LiveServer
from tests.helpers.web_page import HEARD, PALE, opened, prefer, press

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"),
]

KEY = "ferry-demo"
TOKEN = "only-for-viewers"


class Daemon(LiveServer):
    """A daemon, and the programs that publish to it.

    What it says is scripted: with real engines it runs in test_clients.py.
    """

    def __init__(self) -> None:
        live = f"serve.sessions=[{{id: live, key: {KEY}}}]"
        super().__init__("playout.delay=3", "serve.rtmp_port=0", live)
        self.url += "/"
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self._publishers: list[subprocess.Popen[bytes]] = []

    def publish(self, key: str, *source: str) -> None:
        """Publish what FFmpeg makes of ``source`` until the end."""
        command = ["ffmpeg", "-v", "error", "-re", *source, "-f", "flv", f"{self.rtmp}/{key}"]
        self._publishers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))

    def session(self, **spec: Any) -> str:
        """Create a session; returns its key."""
        created = self.http.post("sessions", json=spec)
        assert created.status_code == 201, created.text
        return str(created.json()["key"])

    def close(self) -> None:
        for process in self._publishers:
            process.kill()
            process.wait()
        self.http.close()
        super().close()


@pytest.fixture(scope="module")
def daemon(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    brief = tmp_path_factory.mktemp("publisher") / "clip.flv"
    picture = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "50")
    command = ["ffmpeg", "-v", "error", "-i", str(clip.path), *picture, "-c:a", "aac", str(brief)]
    subprocess.run(command, check=True)
    running = Daemon()
    try:
        running.publish(KEY, "-stream_loop", "-1", "-i", str(brief), "-c", "copy")
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    running = Browser()
    yield running
    running.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go; pytest keeps those of its last runs."""
    return tmp_path


async def without_a_click(page: Page, condition: str) -> None:
    """Wait for a condition; what ``Page.until`` evaluates counts as a click."""
    async with asyncio.timeout(30):
        while True:
            answer = await page.call("Runtime.evaluate", expression=condition)
            if answer["result"]["value"]:
                return
            await asyncio.sleep(0.2)


async def plays(page: Page, *, within: float = 40) -> None:
    """Wait for pictures that move."""
    await page.until("$('state').dataset.state === 'live'", within=within)
    at = await page.evaluate("$('video').currentTime")
    await page.until(f"$('video').currentTime > {at} + 1", within=90)
    decoded = "$('video').getVideoPlaybackQuality().totalVideoFrames"
    frames = await page.evaluate(decoded)
    await page.until(f"{decoded} > {frames} + 10")


async def test_the_player_shows_a_session_with_captions(
    daemon: Daemon, browser: Browser, shots: Path
) -> None:
    async with opened(daemon.url, browser) as page:
        await plays(page)
        assert await page.evaluate("$('sessions').value") == "live"
        assert "session=live" in await page.evaluate("location.hash")
        await page.evaluate(HEARD)
        both = "(window.said = [$('spoken').textContent, $('dubbed').textContent]).every(Boolean)"
        await page.until(both, within=90)
        said = await page.evaluate("said")
        assert said[0] != said[1]
        (shots / "player.png").write_bytes(await page.screenshot())
        assert await page.evaluate("$('spoken').lang + $('dubbed').lang") == "enpt"
        await page.until("$('transcript').children.length >= 2", within=90)
        figures = await page.evaluate("$('figures').innerText")
        assert "WebRTC" in figures
        behind = re.search(r"Behind source\s+([\d.]+) s", figures)
        assert behind is not None and 3 <= float(behind[1]) < 6
        shown = "[$('figures').children.length, $('more-figures').children.length]"
        assert await page.evaluate(shown) == [3, 6]


async def test_captions_come_when_they_are_heard(daemon: Daemon, browser: Browser) -> None:
    async with opened(daemon.url, browser) as page:
        await plays(page)
        # The session's own clock when a caption appears, against when it was said.
        await page.evaluate(
            """window.seen = []; let last = null;
                new MutationObserver(async () => {
                  const row = $("transcript").querySelector("[aria-current]");
                  if (!row || row === last) return;
                  last = row;
                  const { position_s } = await (await fetch("/sessions/live")).json();
                  const [m, s] = row.querySelector("time").textContent.split(":");
                  seen.push(position_s - (60 * m + +s));
                }).observe($("transcript"), { subtree: true, childList: true, attributes: true })
                """
        )
        # Shown times are whole seconds, the first caption may have begun long before, and a
        # busy machine may recognise speech after it was heard: but never before.
        await page.until("seen.slice(1).some((late) => late < 1.8)", within=90)
        late = await page.evaluate("seen.slice(1)")
        assert min(late) > -0.3, late


async def test_keys_and_tracks(daemon: Daemon, browser: Browser) -> None:
    async with opened(daemon.url, browser) as page:
        await plays(page)
        await press(page, "k")
        await page.until("$('video').paused && $('play').ariaLabel === 'Play'")
        await press(page, " ")
        await page.until("!$('video').paused")
        await press(page, "m")
        await page.until("$('video').muted && $('mute').ariaLabel === 'Unmute'")
        await press(page, "m")
        await press(page, "ArrowDown")
        await press(page, "ArrowDown")
        await page.until("Math.abs($('video').volume - 0.8) < 0.01 && !$('video').muted")
        await press(page, "ArrowUp")
        await page.until("$('volume').value === '90'")
        await press(page, "c")
        await page.until("$('caption-choice').value === 'off' && !$('spoken').textContent")
        await press(page, "c")
        await page.until("$('caption-choice').value === 'both'")
        await press(page, "f")
        await page.until("document.fullscreenElement === $('watch')")
        await press(page, "f")
        await page.until("!document.fullscreenElement")
        await press(page, "2")
        chosen = "$('tracks').querySelector('[aria-pressed=true]').dataset.track"
        await page.until(f"{chosen} === 'original'")
        assert "track=original" in await page.evaluate("location.hash")
        await page.until(
            "performance.getEntriesByType('resource').some((entry) => "
            "entry.name.endsWith('/track?track=original') && entry.responseStatus === 204)"
        )
        await page.evaluate(HEARD)
        assert await page.evaluate("peers.length") == 1  # switched without a new connection
        await press(page, "1")
        await page.until(f"{chosen} === 'pt'")


async def test_a_browser_that_wants_a_click_is_given_a_button(daemon: Daemon, shots: Path) -> None:
    wary = "--autoplay-policy=document-user-activation-required"
    async with opened(daemon.url, flags=[wary]) as page:
        await without_a_click(page, "!document.getElementById('notice-play').hidden")
        (shots / "click.png").write_bytes(await page.screenshot())
        await page.evaluate("$('notice-play').click()")
        await plays(page)
        assert await page.evaluate("$('notice-play').hidden")


async def test_a_lost_connection_comes_back(daemon: Daemon, browser: Browser) -> None:
    async with opened(daemon.url, browser) as page:
        await plays(page)
        await page.evaluate("fetch(peers[0], { method: 'DELETE' }).then(() => 0)")
        await page.until("peers.length === 2", within=90)
        await plays(page)


async def test_hls_plays_where_webrtc_cannot_get_through(daemon: Daemon, shots: Path) -> None:
    blocked = "--webrtc-ip-handling-policy=disable_non_proxied_udp"
    async with opened(daemon.url, flags=[blocked], scheme="light") as page:
        await page.until("shows('figures', 'HLS')", within=90)
        await plays(page)
        await page.evaluate(HEARD)
        assert await page.evaluate("$('bed').disabled && $('bed').title.startsWith('HLS')")
        await page.until("$('spoken').textContent && $('dubbed').textContent", within=90)
        (shots / "hls.png").write_bytes(await page.screenshot())
        await press(page, "2")
        await page.until(
            "performance.getEntriesByType('resource')"
            ".some((entry) => /audio-original.*m4s/.test(entry.name))"
        )
        await plays(page)


@pytest.mark.parametrize("path", ["", "publish"])
async def test_narrow_screens_do_not_scroll_sideways(
    path: str, daemon: Daemon, browser: Browser, shots: Path
) -> None:
    async with opened(daemon.url + path, browser, size=(360, 740)) as page:
        if not path:
            await plays(page)
        await page.until("$('sessions').options.length > 0")
        unnamed = (
            "[...document.querySelectorAll('button, select, input')]"
            ".filter((e) => !e.hidden && !e.ariaLabel && !e.textContent.trim()"
            " && !e.labels?.length).map((e) => e.id)"
        )
        for scheme in ("dark", "light"):
            await prefer(page, scheme)
            (shots / f"narrow-{path}-{scheme}.png").write_bytes(await page.screenshot())
            assert await page.evaluate("document.documentElement.scrollWidth") == 360
            assert await page.evaluate(unnamed) == []
            assert await page.evaluate(PALE) == []


async def test_a_protected_session_of_sound_alone(
    daemon: Daemon, browser: Browser, shots: Path
) -> None:
    locked = daemon.session(id="locked", play_token=TOKEN, hls=False)
    daemon.publish(locked, "-f", "lavfi", "-i", "sine=440", "-c:a", "aac")
    async with opened(f"{daemon.url}#session=locked", browser) as page:
        submit = "$('token').value = '%s'; $('token-form').requestSubmit()"
        await page.until("$('state').dataset.state === 'locked'")
        (shots / "locked.png").write_bytes(await page.screenshot())
        await page.until(
            "fetch('/sessions/locked').then((a) => a.json()).then((s) => s.position > 0)",
            within=90,
        )
        await page.evaluate(submit % "not-the-token")
        await page.until("shows('notice-text', 'does not give the right')")
        await page.evaluate(submit % TOKEN)
        await page.until("$('state').dataset.state === 'live'", within=90)
        await page.until("shows('notice-text', 'Sound only')", within=90)
        await page.evaluate(HEARD)
        assert TOKEN not in await page.evaluate("location.href")
        assert await page.evaluate("$('mode').querySelector('[value=hls]').disabled")
    async with opened(f"{daemon.url}?session=locked#token={TOKEN}&by=hls", browser) as page:
        await page.until("shows('notice-text', 'HLS is off for this session')")
        await page.evaluate(
            "$('mode').value = 'webrtc'; $('mode').dispatchEvent(new Event('change'))"
        )
        await page.until("$('state').dataset.state === 'live'", within=90)
        assert TOKEN not in await page.evaluate("location.href")
    daemon.http.delete("sessions/locked", params={"drain": "false"})


async def test_the_publish_page_publishes_and_what_ends_is_said(
    daemon: Daemon, browser: Browser, shots: Path
) -> None:
    key = daemon.session(id="studio")

    async with (
        opened(f"{daemon.url}publish#session=studio", browser) as page,
        opened(f"{daemon.url}#session=studio", browser) as viewer,
    ):
        await viewer.until("$('state').dataset.state === 'waiting'", within=90)
        assert await viewer.evaluate("shows('notice-text', 'Waiting for the publisher')")
        assert await viewer.evaluate("shows('notice-next', '/live/KEY')")
        assert (
            await viewer.evaluate("$('notice-next').querySelector('a').href")
            == f"{daemon.url}publish#session=studio"
        )
        await page.until("$('sessions').value === 'studio'")
        start = "$('key').value = %s; $('form').requestSubmit()"
        await page.evaluate(start % json.dumps("not-the-key"))
        await page.until("shows('problem', 'does not give the right')")
        await page.evaluate(start % json.dumps(key))
        await page.until("$('state').dataset.state === 'live'", within=90)
        assert daemon.http.get("sessions/studio").json()["state"] == "live"
        await page.until("$('level').value > -50")  # the fake microphone beeps
        await page.until("/[1-9]\\d* kbit/.test($('figures').innerText)", within=90)
        assert await page.evaluate("$('link').href") == f"{daemon.url}#session=studio"
        (shots / "publish.png").write_bytes(await page.screenshot())
        await plays(viewer)
        await page.evaluate("$('stop').click()")
        await page.until("$('state').dataset.state === 'idle'")
        assert await page.evaluate("$('video').srcObject") is None
        await viewer.until("$('state').dataset.state === 'waiting'", within=90)
        await viewer.until("shows('notice-next', 'It goes on as soon as')")
        assert not re.search(r"\d", await viewer.evaluate("$('figures').innerText"))
        (shots / "left.png").write_bytes(await viewer.screenshot())
        daemon.http.delete("sessions/studio", params={"drain": "false"})
        await viewer.until("$('state').dataset.state === 'none'", within=90)
        assert await viewer.evaluate("shows('notice-text', 'There is no session')")


async def test_the_api_is_documented_without_the_internet(
    daemon: Daemon, browser: Browser, shots: Path
) -> None:
    async with browser.page() as page:
        await page.open(f"{daemon.url}docs")
        await page.until("document.querySelectorAll('.opblock').length > 10")
        (shots / "api.png").write_bytes(await page.screenshot())
        assert not page.console
