"""A headless Chromium for tests, driven by the DevTools protocol.

async with chromium() as page:
    await page.open("http://127.0.0.1:8080/")
    assert await page.evaluate("document.title") == "livedub"
    png = await page.screenshot()
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
"""What the browser may be called; the first that is there is used."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    # No tab is behind another one.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--window-size=640,480",
    "--remote-debugging-port=0",
)

needs_chromium = pytest.mark.skipif(
    not any(map(shutil.which, PROGRAMS)), reason="Chromium is not installed"
)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self.console: list[str] = []
        """What the page has logged, and exceptions that nobody caught."""

    async def open(self, url: str, *, within: float = 60) -> None:
        """Go to an address and wait until the page has loaded."""
        self._loaded.clear()
        answer = await self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer["errorText"]
        await asyncio.wait_for(self._loaded.wait(), within)

    async def evaluate(self, script: str, *, within: float = 60) -> Any:
        """The value of an expression; promises are awaited, exceptions fail the test."""
        answer = await self.call(
            "Runtime.evaluate",
            within=within,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    async def until(self, condition: str, *, within: float = 60) -> None:
        """Wait for a JavaScript expression to come true."""
        try:
            async with asyncio.timeout(within):
                while not await self.evaluate(condition):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"never true: {condition}; console: {self.console}") from None

    async def screenshot(self) -> bytes:
        """What is seen, as PNG."""
        answer = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    async def call(self, method: str, *, within: float = 60, **parameters: Any) -> Any:
        """Call a method of the DevTools protocol."""
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        request = {"id": number, "method": method, "params": parameters}
        await self._socket.send(json.dumps(request))
        return await asyncio.wait_for(answer, within)

    async def listen(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            answer = self._waiting.pop(message.get("id"), None)
            if answer is not None and not answer.done():
                if "error" in message:
                    answer.set_exception(AssertionError(message["error"]["message"]))
                else:
                    answer.set_result(message["result"])
            elif message.get("method") == "Page.loadEventFired":
                self._loaded.set()
            elif message.get("method") == "Runtime.consoleAPICalled":
                said = (a.get("value", a.get("description")) for a in message["params"]["args"])
                self.console.append(" ".join(map(str, said)))
            elif message.get("method") == "Runtime.exceptionThrown":
                self.console.append(json.dumps(message["params"]["exceptionDetails"]))


class Browser:
    """A Chromium with an empty profile, and further ``flags`` if any; runs until ``close``."""

    def __init__(self, *flags: str) -> None:
        program = next(filter(None, map(shutil.which, PROGRAMS)))
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [program, *FLAGS, *flags, f"--user-data-dir={self._profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Chromium writes where it listens into its profile.
        announced = Path(self._profile.name) / "DevToolsActivePort"
        until = time.monotonic() + 60
        while not (announced.exists() and "/" in announced.read_text()):
            assert time.monotonic() < until, "Chromium did not start"
            time.sleep(0.05)
        port, path = announced.read_text().split("\n")
        self._devtools = f"ws://127.0.0.1:{port}/devtools"
        self._socket = f"ws://127.0.0.1:{port}{path}"

    def close(self) -> None:
        """End it and remove its profile."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """A tab with cookies and storage of its own."""
        async with _attached(self._socket) as browser:
            context = (await browser.call("Target.createBrowserContext"))["browserContextId"]
            target = await browser.call(
                "Target.createTarget", url="about:blank", browserContextId=context
            )
            try:
                async with _attached(f"{self._devtools}/page/{target['targetId']}") as page:
                    await page.call("Page.enable")
                    await page.call("Runtime.enable")
                    yield page
            finally:
                await browser.call("Target.disposeBrowserContext", browserContextId=context)


@contextlib.asynccontextmanager
async def _attached(url: str) -> AsyncIterator[Page]:
    async with connect(url, max_size=None) as socket:
        page = Page(socket)
        listening = asyncio.create_task(page.listen())
        try:
            yield page
        finally:
            listening.cancel()
            await asyncio.wait([listening])


@contextlib.asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Page]:
    """A tab of a browser that nobody else uses."""
    browser = await asyncio.to_thread(Browser, *flags)
    try:
        async with browser.page() as page:
            yield page
    finally:
        await asyncio.to_thread(browser.close)
