"""FFmpeg's WHIP muxer did not get through DTLS, and nothing was logged; with a certificate of a
kind that OpenSSL has it must publish, and the log say why somebody does not get through."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import av
import pytest

from server.webrtc.peers import Peers
from server.webrtc.routes import webrtc_router
from stream.live.connection import Connection
from tests.helpers.received import Received
from tests.helpers.ws_server import serving

PUBLISH = """
import sys, time
import av, numpy as np
out = av.open(sys.argv[1], "w", format="whip", options=dict(one.split("=") for one in sys.argv[2:]))
picture = out.add_stream("libx264", rate=25)
picture.width, picture.height, picture.pix_fmt, picture.gop_size = 160, 90, "yuv420p", 25
picture.options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"}
sound = out.add_stream("libopus", rate=48000, layout="stereo")
began = time.time()
for n in range(60):
    frame = av.VideoFrame.from_ndarray(np.full((135, 160), n, np.uint8), format="yuv420p")
    frame.pts = n
    out.mux(picture.encode(frame))
    tone = np.sin(np.arange(1920) / 20).astype(np.float32).repeat(2)[None] / 4
    block = av.AudioFrame.from_ndarray(tone, format="flt", layout="stereo")
    block.sample_rate, block.pts = 48000, n * 1920
    out.mux(sound.encode(block))
    time.sleep(max(0, began + n / 25 - time.time()))
out.close()
"""

needs_whip = pytest.mark.skipif(
    "whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer"
)


async def _published(*options: str) -> tuple[Received, int]:
    """What came of FFmpeg's stream, and how FFmpeg ended."""
    got, peers, reading = Received(), Peers(), []

    async def admit(session: str, source: Connection) -> None:
        reading.append(asyncio.create_task(got.read(source)))

    router = webrtc_router({}.__getitem__, admit, lambda *_: None, peers)
    async with serving(router) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PUBLISH, f"{url.replace('ws:', 'http:')}/sessions/s/whip",
            *options, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        status = await asyncio.wait_for(process.wait(), 40)
        await peers.aclose()
        await asyncio.gather(*reading)
    return got, status


@needs_whip
async def test_with_a_certificate_of_its_own_it_publishes(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    for command in (
        f"ecparam -name prime256v1 -genkey -noout -out {key}",
        f"req -new -x509 -key {key} -subj /CN=ffmpeg -days 30 -out {certificate}",
    ):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
    got, status = await _published(f"cert_file={certificate}", f"key_file={key}")
    assert status == 0
    assert len(got.pictures) > 50 and got.seconds() > 2
    assert got.pictures[0].key and got.pictures[0].format.codec == "h264"
    first, last = got.pictures[0], got.pictures[-1]
    assert (last.time - first.time) / 48_000 == pytest.approx((len(got.pictures) - 1) / 25, abs=0.1)


@needs_whip
async def test_without_one_it_gets_through_or_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Which of them it is depends on the library that FFmpeg was built with."""
    got, status = await _published()
    through = status == 0 and len(got.pictures) > 50
    assert through or "did not get through: the DTLS handshake failed" in caplog.text
