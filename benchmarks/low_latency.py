"""How far behind its source HLS is in a browser: ``PYTHONPATH=. python benchmarks/low_latency.py``.

A daemon dubs the demo clip, published by RTMP in a loop, and hls.js in Chromium plays it part by
part for ``--seconds``. A playlist's dates are the source's, so that now less the date of what is
shown is everything between the publisher and the viewer's eye, the delay included. It should stay
below the delay and 2.5 s, without a stall once it has settled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from demo_clip import make_clip
from live import console, daemon, looped, published

from tests.helpers.chromium import chromium

SETTLED_S = 20.0

PLAYER = """(async () => {
  const script = document.createElement("script");
  script.src = "/web/hls.min.js";
  await new Promise((loaded) => { script.onload = loaded; document.head.append(script); });
  window.video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  window.stalls = 0;
  window.hls = new Hls({lowLatencyMode: true, liveSyncDuration: 1.5, liveMaxLatencyDuration: 3.5,
    maxLiveSyncPlaybackRate: 1.1});
  hls.on(Hls.Events.ERROR, (_, error) => { stalls += /Stall/.test(error.details); });
  hls.attachMedia(video);
  const url = "/sessions/session-0/hls/master.m3u8";
  while (!(await fetch(url)).ok) await new Promise((again) => setTimeout(again, 500));
  hls.loadSource(url);
  await video.play();
})()"""

LOOK = "JSON.stringify([(Date.now() - hls.playingDate) / 1000, hls.latency, stalls])"


async def measure(engine: str, clip: Path, delay: float, seconds: float) -> None:
    """Play, and print what was seen."""
    async with (
        daemon(engine, 1, delay=delay, hls=True) as served,
        published(served, "session-0", *looped(clip)),
        chromium() as page,
    ):
        await page.open(f"{served.url}/publish")
        await page.evaluate(PLAYER, within=90)
        await asyncio.sleep(SETTLED_S)
        behind: list[float] = []
        player: list[float] = []
        *_, before = json.loads(await page.evaluate(LOOK))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            whole, from_end, _ = json.loads(await page.evaluate(LOOK))
            behind.append(whole)
            player.append(from_end)
        *_, after = json.loads(await page.evaluate(LOOK))
    behind.sort()
    console.print(
        f"delay {delay:g} s, {seconds:.0f} s of LL-HLS: behind the source by "
        f"{statistics.median(behind):.2f} s (95 %: {behind[int(0.95 * len(behind))]:.2f}, "
        f"at most {behind[-1]:.2f}), of which {statistics.median(player):.2f} from the playlist's "
        f"end; {after - before} stalls"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="kokoro")
    parser.add_argument("--delay", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", size="640x360").path
        asyncio.run(measure(options.engine, clip, options.delay, options.seconds))


if __name__ == "__main__":
    main()
