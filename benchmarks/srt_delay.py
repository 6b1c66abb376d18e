"""From a publisher to the eye, by SRT: ``python benchmarks/srt_delay.py [--delay 4]``.

FFmpeg publishes a picture that is white for half a second of every fifteen, by SRT; the session
goes out by SRT, and its pictures are decoded as they arrive. The delay is that from the moment at
which FFmpeg sends a white picture to that at which one is decoded. FFmpeg's start, some 0.1 to
0.3 s, and both latencies of SRT, 0.2 s each, are in it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import av
import live

PERIOD_S = 15
"""Longer than any delay, so that it is known which white picture one is."""


def free_port() -> int:
    """A UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def flashing(path: Path, seconds: float) -> Path:
    """A clip that is white for half a second of every period."""
    white = f"lt(mod(t,{PERIOD_S}),0.5)"
    graph = f"color=black:s=640x360:r=25:d={seconds},drawbox=c=white:t=fill:enable='{white}'"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph, "-f", "lavfi", "-i"]
    command += ["anullsrc=r=48000:cl=stereo", "-c:v", "libx264", "-bf", "0", "-g", "25"]
    subprocess.run([*command, "-c:a", "aac", "-t", str(seconds), str(path)], check=True)
    return path


def whites(url: str) -> list[float]:
    """Wall times at which the picture turns white; reads until the stream ends."""
    command = ["ffmpeg", "-v", "error", "-f", "data", "-i", url, "-map", "0", "-c", "copy"]
    found: list[float] = []
    with subprocess.Popen([*command, "-f", "data", "-"], stdout=subprocess.PIPE) as process:
        options = {"fflags": "nobuffer", "probesize": "100000", "analyzeduration": "500000"}
        with (
            contextlib.suppress(av.error.EOFError),
            av.open(process.stdout, format="mpegts", options=options) as stream,
        ):
            stream.streams.video[0].thread_type = "NONE"
            before = True
            for frame in stream.decode(video=0):
                white = float(frame.reformat(format="gray").to_ndarray().mean()) > 128
                if white and not before:
                    found.append(time.time())
                before = white
        process.kill()
    return found


async def measure(delay: float, seconds: float, engine: str) -> list[float]:
    """Delays of all white pictures but the first."""
    entry, exit_ = free_port(), free_port()
    output = {"url": f"srt://127.0.0.1:{exit_}?mode=listener"}
    spec = {"id": "session-0", "key": "session-0", "hls": False, "outputs": [output]}
    live.SETTINGS.extend([f"serve.srt_port={entry}", f"serve.sessions={json.dumps([spec])}"])
    with tempfile.TemporaryDirectory() as folder:
        clip = flashing(Path(folder) / "clip.mp4", seconds)
        async with live.daemon(engine, 1, delay):
            publisher = await asyncio.create_subprocess_exec(
                "ffmpeg", "-v", "error", "-re", "-i", str(clip), "-c", "copy", "-f", "mpegts",
                f"srt://127.0.0.1:{entry}?streamid=session-0", stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            began = time.time()
            await asyncio.sleep(delay + 3)  # the output begins to listen with the first picture
            reading = asyncio.to_thread(whites, f"srt://127.0.0.1:{exit_}")
            task = asyncio.ensure_future(reading)
            await publisher.wait()
            await asyncio.sleep(delay + 1)
        return [(at - began) % PERIOD_S for at in await task]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=80.0)
    parser.add_argument("--engine", default="espeak")
    options = parser.parse_args()
    found = asyncio.run(measure(options.delay, options.seconds, options.engine))
    shown = ", ".join(f"{one:.2f}" for one in found)
    print(f"delay {options.delay:g} s: median {statistics.median(found):.2f} s of {shown}")


if __name__ == "__main__":
    main()
