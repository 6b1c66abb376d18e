"""HLS with segments longer than the time-out was reconnected for each of them, and heard in bursts
with holes between; it must be read at its own pace, on one connection, however long they are."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from server.addresses import opening
from server.sessions.sources import Pull
from stream.clock.playout_clock import PlayoutClock
from stream.live.source import LiveSource
from stream.timeline import TICK_RATE
from tests.helpers.made_sources import beeping
from tests.helpers.served_folder import served
from tests.helpers.streams import ffmpeg

SEGMENT_S = 2


async def broadcast(folder: Path, kept: int) -> None:
    """A live playlist of the segments in a folder, the oldest of which are deleted."""
    for last in range(kept, 20):
        shown = range(last - kept, last)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SEGMENT_S}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{shown[0]}")
        for number in shown:
            lines += [f"#EXTINF:{SEGMENT_S}.0,", f"{number}.ts"]
        (folder / "new").write_text("\n".join([*lines, ""]))
        (folder / "new").replace(folder / "live.m3u8")
        for number in range(last - kept - 1):
            (folder / f"{number}.ts").unlink(missing_ok=True)
        await asyncio.sleep(SEGMENT_S)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hls")
    return beeping(folder / "whole.ts", length=40)


@pytest.mark.parametrize("kept", [1, 3])
async def test_what_comes_in_bursts_is_handed_on_as_it_passes(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    # A whole segment may be waited for that lasts longer than this:
    monkeypatch.setattr(opening, "ANSWER_TIMEOUT_S", 1.2)
    names = ("-f", "segment", "-segment_time", str(SEGMENT_S), "-break_non_keyframes", "0")
    await asyncio.to_thread(ffmpeg, "-i", whole, "-c", "copy", *names, tmp_path / "%d.ts")
    loop = asyncio.get_running_loop()
    clock = PlayoutClock(1.0)
    arrivals: list[tuple[float, int]] = []
    with served(tmp_path) as here:
        telling = asyncio.create_task(broadcast(tmp_path, kept))
        await asyncio.sleep(0.1)
        source = LiveSource(Pull(f"{here.url}/live.m3u8").connect, clock)
        async with asyncio.timeout(60), contextlib.aclosing(source.batches()) as batches:
            async for batch in batches:
                arrivals.append((loop.time(), max(item.end for item in batch)))
                clock.observe(*arrivals[-1])
                if arrivals[-1][1] > 5.5 * SEGMENT_S * TICK_RATE:
                    await source.aclose()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    assert source.connections == 1
    # With a single segment there is one hole, by which it is then later for good.
    settled = [at - time / TICK_RATE for at, time in arrivals if time > 3 * SEGMENT_S * TICK_RATE]
    assert max(settled) - min(settled) < 0.6 * SEGMENT_S
