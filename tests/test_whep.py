"""WHEP against real aiortc peers on this machine."""

import asyncio
import shutil
from pathlib import Path

import pytest

from server.whep import watch
from tests.feeds import file_feed
from tests.rtc import Viewer, flashes, until

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashes(tmp_path_factory.mktemp("whep") / "flash.mkv")


@pytest.fixture(scope="module")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whep") / "b.mkv"
    return flashes(path, extra=("-preset", "fast", "-bf", "2"))


def offsets(viewer: Viewer, report: int = -1) -> list[float]:
    """Picture minus sound of every flash with its beep, seconds, as a receiver aligns them."""
    seen = [viewer.wall("video", t, report) for t in viewer.flash_times()]
    heard = [viewer.wall("audio", t, report) for t in viewer.beep_times()]
    pairs = [(s, min(heard, key=lambda h: abs(h - s))) for s in seen]
    return [s - h for s, h in pairs if abs(s - h) < 0.5]


@pytest.mark.parametrize("which", ["clip", "reordered"])
def test_picture_and_sound_align_by_their_reports(
    which: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)

    async def run() -> None:
        async with file_feed(path) as feed:
            await asyncio.sleep(1.4)  # a late joiner
            viewer = Viewer()
            peer = await watch(feed, "pt", await viewer.offer())
            await viewer.accept(peer.answer)
            await until(lambda: len(viewer.frames()) > 70)
            found = offsets(viewer)
            assert len(found) >= 2
            assert max(map(abs, found)) < 0.010, found
            # The very first reports already say the same.
            first = offsets(viewer, 0)
            assert max(abs(a - b) for a, b in zip(first, found, strict=True)) < 0.001
            print("offsets, ms:", [round(f * 1000, 2) for f in found])
            await peer.aclose()
            await viewer.close()

    asyncio.run(run())
