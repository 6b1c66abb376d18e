"""FFmpeg as the other end of SRT, and a network between the two that loses packets."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.srt.library import installed


def _ffmpeg_has_srt() -> bool:
    if shutil.which("ffmpeg") is None:
        return False
    listed = subprocess.run(
        ["ffmpeg", "-v", "error", "-protocols"], capture_output=True, check=False, timeout=20
    )
    return b"\n  srt\n" in listed.stdout


needs_srt = pytest.mark.skipif(
    installed() is None or not _ffmpeg_has_srt(), reason="there is no libsrt, or ffmpeg without SRT"
)


@contextlib.contextmanager
def ffmpeg_at(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg at work; what it says is in its ``stderr``."""
    command = ["ffmpeg", "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def publishing(clip: Path, url: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """A publisher that sends a clip once, at its own pace."""
    return ffmpeg_at("-re", "-i", clip, "-map", "0", "-c", "copy", "-f", "mpegts", url)


def receiving(url: str, out: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """A receiver that writes down the bytes that come."""
    return ffmpeg_at("-f", "data", "-i", url, "-map", "0", "-c", "copy", "-f", "data", out)


async def until_there(path: Path, size: int) -> None:
    """Wait until so many bytes have been written."""
    async with asyncio.timeout(20):
        while not path.exists() or path.stat().st_size < size:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


class _Lossy(asyncio.DatagramProtocol):
    def __init__(self, target: int, every: int) -> None:
        self._target, self._every = ("127.0.0.1", target), every
        self._count = 0
        self._from: tuple[str, int] | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if address == self._target:
            self._transport.sendto(data, self._from)
            return
        self._from = address
        if data[0] < 128:  # media, not the protocol's own
            self._count += 1
            if self._count % self._every == 0:
                return
        self._transport.sendto(data, self._target)


@contextlib.asynccontextmanager
async def losing(target: int, every: int) -> AsyncIterator[int]:
    """A port that leads to another, and loses one of so many packets of media on the way."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Lossy(target, every), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
