"""HLS written into a folder, and read from it."""

import re
import time
from pathlib import Path

from server.hls.output import HlsOutput
from stream.live.output import OutputStatus
from tests.helpers.feeds import file_feed
from tests.helpers.virtual_time import run_virtual


def written(source: Path, folder: Path, **options: object) -> HlsOutput:
    """The file, played as a feed at four times its pace, as HLS."""

    async def run() -> HlsOutput:
        async with file_feed(source, speed=4.0) as feed:
            output = HlsOutput(feed, folder, **{"segment": 1.0, **options})  # type: ignore[arg-type]
            await output.run()
            assert output.status() == OutputStatus("hls", "master.m3u8", "ended")
            assert feed.picture.readers == feed.events.readers == 0
        return output

    return run_virtual(run())


def entries(playlist: Path) -> list[tuple[float, str]]:
    """Duration and name of the segments."""
    found = re.findall(r"#EXTINF:([\d.]+),\n(.+)", playlist.read_text())
    return [(float(duration), name) for duration, name in found]


def wait_for(folder: Path, name: str) -> None:
    deadline = time.monotonic() + 20
    while not (folder / name).exists():
        assert time.monotonic() < deadline, f"{name} never came"
        time.sleep(0.05)
