"""The daemon's own pages in a real Chromium."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from tests.helpers.chromium import Browser, Page, chromium

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

HEARD = """(async () => {
  const context = new AudioContext();
  const stream = $("video").srcObject ?? $("video").captureStream();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    analyser.getFloatTimeDomainData(samples);
  } while (samples.every((sample) => Math.abs(sample) <= 0.01));
  await context.close();
})()"""
"""Waits until the page's video sounds."""

PALE = """(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *:not(.stage *)")]
    .filter((e) => e.checkVisibility() && !e.disabled)
    .filter((e) => [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((e) => [e, [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a)])
    .filter(([, [high, low]]) => (high + 0.05) / (low + 0.05) < 4.5)
    .map(([e]) => e.outerHTML);
})()"""
"""Texts whose contrast is below what WCAG's level AA asks for."""

KEY_CODES = {" ": 32, "ArrowDown": 40, "ArrowUp": 38, "End": 35}


@contextlib.asynccontextmanager
async def opened(
    url: str,
    browser: Browser | None = None,
    *,
    flags: Sequence[str] = (),
    size: tuple[int, int] = (1280, 800),
    scheme: str = "dark",
) -> AsyncIterator[Page]:
    """A page that must not say anything to the console.

    Without a browser it has one of its own, started with ``flags``.
    """
    async with browser.page() if browser else chromium(*flags) as page:
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
