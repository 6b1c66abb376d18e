"""What attacks cost a daemon: ``python benchmarks/attacks.py [WHAT ...] [--tree FOLDER]``.

    idle        340 connections that ask for nothing, where a process may have 256 descriptors
    pictures    a publisher whose pictures of 1 MB have no sound beside them
    blocks      a publisher whose FLAC of 200 Hz fills minutes with a block
    offers      ten WebRTC offers that name a thousand addresses each
    places      all viewers' places taken by offers, and 32 silent RTMP connections: who gets in

Each meets a daemon of its own with one session, on loopback. What is told: resident memory of all
its processes before and at most, the slowest answer of ``/healthz`` before and during the attack,
and what the attack was for. ``--tree`` attacks the code of another checkout.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import httpx
import live
import numpy as np
from aiortc import RTCPeerConnection
from demo_clip import make_clip
from live import Daemon, console, daemon, looped, published
from rich.table import Table

Rows = list[tuple[tuple[str, ...], list[str]]]
"""Cells of each attack, and sentences."""

KEY = "session-0"
LOOK_S = 0.1
"""Seconds between two looks at a daemon."""

AFTERMATH_S = 5.0
"""Seconds in which what was sent is read."""

PATIENCE_S = 10.0
"""Seconds after which ``/healthz`` counts as dead."""


@dataclass
class Observed:
    """What a daemon took, and how long it kept others waiting."""

    served: Daemon
    memory: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    async def look(self) -> None:
        """Until it is cancelled."""
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            while True:
                self.memory.append(_resident(self.served.process.pid))
                began = time.monotonic()
                try:
                    await client.get(f"{self.served.url}/healthz")
                    self.waits.append(time.monotonic() - began)
                except httpx.HTTPError:
                    self.waits.append(PATIENCE_S)
                await asyncio.sleep(LOOK_S)


def _resident(pid: int) -> float:
    """Megabytes, of a process and those it has started."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            if str(pid) in (path.name, parent):
                total += int((path / "statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.asynccontextmanager
async def observed(served: Daemon, name: str, rows: Rows) -> AsyncIterator[list[str]]:
    """Look at it for three seconds of peace, and during the attack; yields what else is told."""
    before, during = Observed(served), Observed(served)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            await before.look()
    told: list[str] = []
    looking = asyncio.create_task(during.look())
    try:
        yield told
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    figures = (
        *(f"{max(one.memory):.0f}" for one in (before, during)),
        *(f"{max(one.waits):.3f}" for one in (before, during)),
    )
    rows.append(((name, *figures), told))


async def idle(clip: Path, rows: Rows) -> None:
    """HLS has to go on through it, and after it."""
    bound = ("prlimit", "--nofile=256:256")
    async with (
        daemon("espeak", 1, 4.0, bound, hls=True) as served,
        published(served, KEY, *looped(clip)),
    ):
        await asyncio.sleep(8)
        logged = served.logged
        host, port = served.url.removeprefix("http://").split(":")
        async with observed(served, "idle", rows) as told:
            kept = []
            for _ in range(340):
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(1):
                        kept.append(await asyncio.open_connection(host, int(port)))
            await asyncio.sleep(12)
            for _, writer in kept:
                writer.transport.abort()
        told.append(f"{(served.logged - logged) / 1e6:.2f} MB of log")
        await asyncio.sleep(2)
        first = await _newest_segment(served)
        await asyncio.sleep(12)
        told.append(f"HLS after it: {await _newest_segment(served) - first} segments in 12 s")


async def _newest_segment(served: Daemon) -> int:
    """How many there have been; of a daemon that does not answer, none."""
    root = f"{served.url}/sessions/{KEY}/hls"
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            master = (await client.get(f"{root}/master.m3u8")).text
            media = next(line for line in master.splitlines() if line and line[0] != "#")
            lines = (await client.get(f"{root}/{media}")).text.splitlines()
    except (httpx.HTTPError, StopIteration):
        return 0
    first = next(line for line in lines if line.startswith("#EXT-X-MEDIA-SEQUENCE"))
    return int(first.split(":")[1]) + sum(line.startswith("#EXTINF") for line in lines)


async def pictures(_: Path, rows: Rows) -> None:
    """1500 of them, 10 ms apart by their times, as fast as they are taken."""
    async with daemon("espeak", 1, 4.0) as served:
        async with observed(served, "pictures", rows) as told:
            sent = await _sent_by(_flood_of_pictures, served, 20.0)
            await asyncio.sleep(AFTERMATH_S)
        told.append(f"{sent / 1e6:.0f} MB taken")


async def blocks(_: Path, rows: Rows) -> None:
    """Each is 65535 samples, so five minutes and a half."""
    async with daemon("espeak", 1, 4.0) as served:
        async with observed(served, "blocks", rows) as told:
            sent = await _sent_by(_blocks_of_flac, served, 10.0)
            await asyncio.sleep(AFTERMATH_S)
        told.append(f"{sent} bytes sent")


async def _sent_by(send: object, served: Daemon, seconds: float) -> int:
    """Bytes that a thread could send within some seconds."""
    sent = [0]

    def run() -> None:
        with contextlib.suppress(OSError, av.FFmpegError):
            for size in send(f"{served.rtmp}/{KEY}"):  # type: ignore[operator]
                sent[0] += size

    # Nobody interrupts a write that is not taken: the thread ends with the daemon.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join, seconds)
    return sent[0]


def _flood_of_pictures(url: str) -> Iterator[int]:
    with av.open(url, "w", format="flv") as out:
        options = {"preset": "ultrafast", "tune": "zerolatency"}
        picture = out.add_stream("libx264", rate=25, options=options)
        picture.width, picture.height, picture.pix_fmt = 160, 90, "yuv420p"
        sound = out.add_stream("aac", rate=48_000, layout="mono")
        for number in range(50):
            image = av.VideoFrame(160, 90, "yuv420p")
            image.pts = number
            out.mux(picture.encode(image))
            for at in range(number * 1920, (number + 1) * 1920, 960):
                block = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), "fltp", "mono")
                block.sample_rate, block.pts = 48_000, at
                out.mux(sound.encode(block))
        huge = b"\0\0\0\1\x65" + b"\xaa" * 1_000_000
        for number in range(1500):
            packet = av.Packet(huge)
            packet.stream, packet.time_base = picture, picture.time_base
            packet.pts = packet.dts = round((2 + number / 100) / picture.time_base)
            packet.is_keyframe = True
            out.mux_one(packet)
            yield len(huge)


def _blocks_of_flac(url: str) -> Iterator[int]:
    made = io.BytesIO()
    with av.open(made, "w", format="flac") as file:
        stream = file.add_stream("flac", rate=200, layout="mono")
        stream.options = {"frame_size": "65535"}
        silence = np.zeros((1, 65_535), np.int16)
        frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        frame.sample_rate = 200
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    made.seek(0)
    with av.open(made) as source, av.open(url, "w", format="flv") as out:
        track = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = track
                out.mux_one(packet)
                yield packet.size


async def _offer(addresses: int = 0, direction: str = "recvonly") -> str:
    """Of one who says to be at so many addresses of this machine, and at its own."""
    peer = RTCPeerConnection()
    peer.addTransceiver("audio", direction=direction)
    await peer.setLocalDescription(await peer.createOffer())
    own = peer.localDescription.sdp.splitlines()
    await peer.close()
    named = [
        f"a=candidate:1 1 udp {n} 127.0.{n >> 8}.{n & 255 or 1} {20_000 + n} typ host"
        for n in range(1, addresses + 1)
    ]
    return "\r\n".join([*own, *named, ""])


def _datagrams() -> int:
    """That this machine has sent."""
    lines = [line for line in Path("/proc/net/snmp").read_text().splitlines() if line[:4] == "Udp:"]
    names, values = lines[0].split(), lines[1].split()
    return int(values[names.index("OutDatagrams")])


async def offers(clip: Path, rows: Rows) -> None:
    """Who makes them sends half a megabyte in all."""
    async with daemon("espeak", 1, 4.0) as served, published(served, KEY, *looped(clip)):
        await asyncio.sleep(8)
        offer = await _offer(1000)
        async with observed(served, "offers", rows) as told:
            before = _datagrams()
            statuses = await _posted(served, "whep?track=original", [offer] * 10)
            await asyncio.sleep(30)
        told.append(f"{_datagrams() - before} UDP packets in 30 s; answers {sorted(set(statuses))}")


async def _posted(served: Daemon, path: str, given: list[str], **headers: str) -> list[int]:
    async with httpx.AsyncClient(timeout=60) as client:
        posts = (
            client.post(
                f"{served.url}/sessions/{KEY}/{path}",
                content=offer,
                headers={"Content-Type": "application/sdp", **headers},
            )
            for offer in given
        )
        return [answer.status_code for answer in await asyncio.gather(*posts)]


async def places(clip: Path, rows: Rows) -> None:
    """By WHIP with the session's key; by RTMP, ten times."""
    live.SETTINGS.append("serve.max_viewers=30")
    try:
        async with daemon("espeak", 1, 4.0) as served:
            async with published(served, KEY, *looped(clip)):
                await asyncio.sleep(8)
            async with observed(served, "places", rows) as told:
                told.append(f"RTMP beside silent ones: {await _published(served, clip)} of 10 in")
                taken = await _posted(served, "whep?track=original", [await _offer()] * 30)
                offer = await _offer(direction="sendonly")
                whip = await _posted(served, "whip", [offer], Authorization=f"Bearer {KEY}")
                told.append(f"{taken.count(201)} offers taken, then WHIP with the key: {whip[0]}")
    finally:
        live.SETTINGS.pop()


async def _published(served: Daemon, clip: Path) -> int:
    host, port = served.rtmp.removeprefix("rtmp://").removesuffix("/live").split(":")
    let_in = 0
    for _ in range(10):
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(32)]
        process = await asyncio.create_subprocess_exec(
            "ffmpeg", "-v", "error", "-re", "-t", "1", "-i", str(clip), "-c:v", "copy", "-c:a",
            "aac", "-f", "flv", f"{served.rtmp}/{KEY}",
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        let_in += await process.wait() == 0
        for _, writer in silent:
            writer.transport.abort()
    return let_in


ATTACKS = {f.__name__: f for f in (idle, pictures, blocks, offers, places)}


def main() -> None:
    """Attack and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=[*ATTACKS], metavar="WHAT")
    parser.add_argument("--tree", type=Path, default=live.TREE)
    options = parser.parse_args()
    if unknown := set(options.what) - set(ATTACKS):
        parser.error(f"{', '.join(sorted(unknown))}: no such attack, but {', '.join(ATTACKS)}")
    live.TREE = options.tree.resolve()
    table = Table(title="attacks on one session")
    for column in ("attack", "MB before", "MB at most", "/healthz before, s", "during, s", "else"):
        table.add_column(column, justify="left" if column in ("attack", "else") else "right")
    rows: Rows = []
    with TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", size="640x360").path
        for name in options.what:
            asyncio.run(ATTACKS[name](clip, rows))
    for cells, told in rows:
        table.add_row(*cells, "; ".join(told))
    console.print(table)


if __name__ == "__main__":
    main()
