"""The daemon's own pages in a real Chromium."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from tests.helpers.chromium import Page, chromium

WITNESS = """
for (const kind of ["securitypolicyviolation", "error"]) {
  addEventListener(kind, (event) => console.error(
    kind, event.message ?? event.violatedDirective ?? event.target.src ?? event.target.href), true);
}
window.peers = [];
const request = window.fetch;
window.fetch = async (...given) => {
  const answer = await request(...given);
  if (given[1]?.method === "POST") peers.push(answer.headers.get("Location"));
  return answer;
};
const $ = (id) => document.getElementById(id);
const shows = (id, text) => ($(id)?.textContent ?? "").includes(text);
"""
"""Puts what only the browser's own console would say where the test sees it."""

KEY_CODES = {" ": 32, "ArrowDown": 40, "ArrowUp": 38, "End": 35}


@contextlib.asynccontextmanager
async def opened(
    url: str, *flags: str, size: tuple[int, int] = (1280, 800), scheme: str = "dark"
) -> AsyncIterator[Page]:
    """A page that must not say anything to the console."""
    async with chromium(*flags) as page:
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=WITNESS)
        width, height = size
        await page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        await prefer(page, scheme)
        await page.open(url)
        yield page
        assert page.console == []


async def prefer(page: Page, scheme: str) -> None:
    """Have the browser ask for dark or light colours."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.call("Emulation.setEmulatedMedia", features=features)
    fades = "document.getAnimations().map((fade) => fade.finished)"
    await page.evaluate(f"Promise.all({fades}).then(() => 0)")


async def press(page: Page, key: str) -> None:
    code = KEY_CODES.get(key) or ord(key.upper())
    for kind in ("keyDown", "keyUp"):
        text = key if len(key) == 1 and kind == "keyDown" else ""
        await page.call(
            "Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code
        )
