"""A dub published by WHIP to another implementation of WebRTC: a server whose peer is Chromium."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from server.outputs.whip_push import WhipPush
from server.webrtc.whip_client import Endpoint
from tests.helpers.chromium import chromium, needs_chromium
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import flashes, until
from tests.helpers.whip_server import answering

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"),
]

PEER = """
window.pc = new RTCPeerConnection();
window.take = async (offer) => {
  const video = document.createElement('video');
  video.autoplay = true;
  video.srcObject = new MediaStream();
  document.body.append(video);
  pc.ontrack = (event) => video.srcObject.addTrack(event.track);
  await pc.setRemoteDescription({type: 'offer', sdp: offer});
  await pc.setLocalDescription(await pc.createAnswer());
  if (pc.iceGatheringState !== 'complete') await new Promise((done) => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
  });
  return pc.localDescription.sdp;
};
window.seen = async () => {
  const all = [...(await pc.getStats()).values()];
  const of = (kind) => all.find((s) => s.type === 'inbound-rtp' && s.kind === kind) ?? {};
  const codec = all.find((s) => s.id === of('video').codecId) ?? {};
  return {pictures: of('video').framesDecoded ?? 0, fmtp: codec.sdpFmtpLine ?? '',
          mime: codec.mimeType ?? '', width: of('video').frameWidth,
          energy: of('audio').totalAudioEnergy ?? 0};
};
"""


async def test_chromium_plays_what_is_published(tmp_path: Path) -> None:
    main = ("-bf", "0", "-preset", "veryfast", "-profile:v", "main")
    clip = flashes(tmp_path / "flash.mkv", length=30, extra=main)
    loop = asyncio.get_running_loop()
    async with chromium() as page:
        await page.evaluate(PEER)

        def answer(offer: str) -> tuple[int, str]:
            asked = page.evaluate(f"take({json.dumps(offer)})")
            return 201, str(asyncio.run_coroutine_threadsafe(asked, loop).result(30))

        with answering(answer) as asked:
            async with file_feed(clip) as feed:
                push = WhipPush(feed, "pt", Endpoint(asked.url, "some-token"))
                running = asyncio.create_task(push.run())
                await page.until("seen().then((s) => s.pictures > 25 && s.energy > 0)", within=25)
                seen = await page.evaluate("seen()")
                await until(lambda: push.status().link is not None)
                status = push.status()
                await push.aclose()
                await running
        await page.until("['disconnected', 'failed', 'closed'].includes(pc.connectionState)")
    assert seen["mime"] == "video/H264" and seen["width"] == 160
    # Main, untouched: Debian's Chromium takes no High, which it would get transcoded.
    assert "profile-level-id=4d" in seen["fmtp"] and len(asked.offers) == 1
    assert status.state == "running" and status.link is not None
    assert asked.left == ["/whip/resources/1"]
