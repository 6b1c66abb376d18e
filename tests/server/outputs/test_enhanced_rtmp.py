"""Enhanced RTMP: newer codecs, and more than one sound, pushed to a server that notes the bytes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import numpy as np
import pytest

from server.outputs.push import Push
from server.outputs.tracks import every_track
from server.rtmp.ingest import RtmpIngest
from stream.frames import Samples
from tests.helpers.feeds import file_feed
from tests.helpers.streams import ffmpeg, likeness

ENCODERS = {
    "hevc": ("libx265", "-x265-params", "log-level=none:bframes=0"),
    "av1": ("libsvtav1", "-preset", "12"),
    "vp9": ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
}


class Publication:
    """Everything that one publisher sends, as FLV."""

    def __init__(self) -> None:
        self.flv = bytearray()
        self.ended = asyncio.Event()

    async def write(self, flv: bytes) -> None:
        self.flv += flv

    async def divide(self) -> None:
        raise AssertionError("it is one stream")

    async def end(self) -> None:
        self.ended.set()


@pytest.mark.parametrize("codec", ENCODERS)
async def test_a_newer_codec_and_both_sounds_arrive(codec: str, tmp_path: Path) -> None:
    source, arrived = tmp_path / "source.mkv", tmp_path / "arrived.flv"
    encoder, *options = ENCODERS[codec]
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2.4", "-f", "lavfi", "-i",
        "aevalsrc='0.3*sin(2*PI*(300+150*t)*t)':s=48000:d=2.4", "-c:v", encoder, *options,
        "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "flac", source,
    )  # fmt: skip
    publication = Publication()

    async def authorise(app: str, key: str) -> Publication:
        assert (app, key) == ("live", "a-stream-key")
        return publication

    ingest = RtmpIngest("127.0.0.1", 0, authorise)
    await ingest.start()
    try:
        async with file_feed(source) as feed:
            url = f"rtmp://127.0.0.1:{ingest.port}/live/a-stream-key"
            push = Push(feed, every_track(feed), url)
            await asyncio.wait_for(push.run(), 30)
            await asyncio.wait_for(publication.ended.wait(), 10)
    finally:
        await ingest.aclose()
    assert push.status().failure is None
    arrived.write_bytes(publication.flv)
    with av.open(str(arrived)) as found:
        kinds = sorted(stream.type for stream in found.streams)
        assert kinds == ["audio", "audio", "video"]
        assert found.streams.video[0].codec.canonical_name == codec
        assert sum(1 for _ in found.decode(video=0)) >= 40
    first, second = (_sound(arrived, number) for number in range(2))
    assert likeness(first, second) < -0.9


def _sound(path: Path, number: int) -> Samples:
    """Mono samples of a sound; the system's FFmpeg may be too old to find the second."""
    with av.open(str(path)) as found:
        packets = [packet for packet in found.demux(audio=number) if packet.size]
        frames = [frame for packet in packets for frame in packet.decode()]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])
