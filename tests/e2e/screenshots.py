"""Makes the pictures of the pages in docs/images: ``make screenshots``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.helpers.chromium import Page
from tests.helpers.daemon_process import DaemonProcess
from tests.helpers.web_page import opened

KEY = "ferry-demo"


async def shoot(clip: Path, out: Path) -> None:
    """Publish a clip to a daemon of its own and look at its pages.

    Args:
        clip: with a picture in H.264 and speech.
        out: folder for ``player.png``, ``waiting.png``, ``operate.png`` and ``publish.png``.
    """
    daemon = DaemonProcess(options=("--key", KEY))
    command = ["ffmpeg", "-v", "error", "-re", "-i", str(clip), "-c:v", "copy", "-c:a", "aac"]
    publisher = None
    try:
        async with opened(daemon.url) as page:
            await page.until("shows('notice-next', '/live/KEY')")
            _save(out / "waiting.png", await page.screenshot())
            address = f"{daemon.rtmp}/{KEY}"
            publisher = await asyncio.create_subprocess_exec(*command, "-f", "flv", address)
            await page.until("$('transcript').children.length >= 3", within=90)
            await _both_lines(page)
            _save(out / "player.png", await page.screenshot())
        async with opened(f"{daemon.url}operate") as page:
            seen = "document.querySelector('.thumbnail img').naturalWidth"
            await page.until(f"{seen} && document.querySelector('meter').value > -50", within=30)
            _save(out / "operate.png", await page.screenshot())
        async with opened(f"{daemon.url}publish") as page:
            await page.until("$('sessions').options.length > 0")
            await page.evaluate("$('preview').click()")
            await page.until("$('stage').dataset.picture === 'yes'")
            _save(out / "publish.png", await page.screenshot())
    finally:
        if publisher is not None and publisher.returncode is None:
            publisher.kill()
            await publisher.wait()
        daemon.end(20)


async def _both_lines(page: Page) -> None:
    await page.until("$('spoken').textContent && $('dubbed').textContent", within=30)


def _save(path: Path, picture: bytes) -> None:
    path.write_bytes(picture)
    print(path)


if __name__ == "__main__":
    asyncio.run(shoot(Path(sys.argv[1]), Path(sys.argv[2])))
