"""A viewer whose browser has no H.264 was refused time and again; it must see the picture as VP8,
made once for all who need it, and one who has neither be told so in words."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from server.webrtc.peer import UnsupportedOfferError
from server.webrtc.picture_transcode import MOST_VP8, PictureTranscoder
from server.webrtc.whep import watch
from stream.frames import PictureFormat, PicturePacket
from stream.timeline import TICK_RATE
from tests.helpers.feeds import file_feed
from tests.helpers.rtc import Viewer, flashes, until


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flashes(tmp_path_factory.mktemp("vp8") / "flash.mkv", length=30)


def without(sdp: str, codec: str) -> str:
    """An offer that lacks a codec, and the repeats of its packets."""
    gone = re.findall(rf"a=rtpmap:(\d+) {codec}/", sdp)
    gone += [pt for apt in gone for pt in re.findall(rf"a=fmtp:(\d+) apt={apt}\b", sdp)]
    lines = []
    for line in sdp.split("\r\n"):
        if line.startswith("m=video"):
            line = " ".join(word for word in line.split(" ") if word not in gone)
        attribute = re.match(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+) ", line)
        if attribute is None or attribute[1] not in gone:
            lines.append(line)
    return "\r\n".join(lines)


async def test_the_picture_comes_as_vp8_and_in_sync(clip: Path) -> None:
    async with file_feed(clip) as feed:
        await until(lambda: feed.picture_format is not None)
        viewer = Viewer()
        peer = await watch(feed, ["pt"], without(await viewer.offer(), "H264"))
        await viewer.accept(peer.answer)
        await until(lambda: viewer.seen > 60)
        assert viewer.codec("video").name == "VP8"
        seen = [viewer.wall("video", time) for time in viewer.flash_times()]
        heard = [viewer.wall("audio", time) for time in viewer.beep_times()]
        await viewer.close()
        await peer.aclose()
    nearest = [min((abs(one - other), one - other) for other in heard)[1] for one in seen]
    together = [offset for offset in nearest if abs(offset) < 0.5]
    assert len(together) >= 2 and max(map(abs, together)) < 0.010


async def test_vp8_and_h264_viewers_watch_side_by_side(clip: Path) -> None:
    async with file_feed(clip) as feed:
        await until(lambda: feed.picture_format is not None)
        viewers = [Viewer(), Viewer()]
        offers = [without(await viewers[0].offer(), "H264"), await viewers[1].offer()]
        peers = [await watch(feed, ["pt"], offer) for offer in offers]
        for viewer, peer in zip(viewers, peers, strict=True):
            await viewer.accept(peer.answer)
        await until(lambda: all(viewer.seen > 10 for viewer in viewers))
        assert [viewer.codec("video").name for viewer in viewers] == ["VP8", "H264"]
        for viewer, peer in zip(viewers, peers, strict=True):
            await viewer.close()
            await peer.aclose()


async def test_who_has_neither_is_told_what_to_offer(clip: Path) -> None:
    async with file_feed(clip) as feed:
        await until(lambda: feed.picture_format is not None)
        viewer = Viewer()
        offer = without(without(await viewer.offer(), "H264"), "VP8")
        offer = offer.replace("SAVPF\r\n", "SAVPF 120\r\na=rtpmap:120 AV1/90000\r\n")
        with pytest.raises(UnsupportedOfferError, match="offer one, or sound alone"):
            await watch(feed, ["pt"], offer)
        await viewer.close()


def test_large_pictures_are_made_smaller_and_keep_their_shape(tmp_path: Path) -> None:
    extra = ("-vf", "scale=1920:1080", "-bf", "0")
    source = flashes(tmp_path / "large.mkv", length=0.4, extra=extra)
    transcoder, made = PictureTranscoder("vp8"), []
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        coded = PictureFormat("h264", context.extradata or b"", context.width, context.height)
        for n, packet in enumerate(container.demux(stream)):
            if packet.size:
                time = n * TICK_RATE // 25
                one = PicturePacket(coded, time, time, packet.is_keyframe, bytes(packet))
                made += transcoder.convert(one, False)
    assert {one.format.codec for one in made} == {"vp8"} and made[0].key
    decoder = av.CodecContext.create("vp8", "r")
    frames = [frame for one in made for frame in decoder.decode(av.Packet(one.data))]
    assert len(frames) >= 8
    width, height = frames[0].width, frames[0].height
    assert width * height <= MOST_VP8
    assert width / height == pytest.approx(16 / 9, abs=0.01)
    assert np.mean(frames[2].to_ndarray(format="gray")) > 128, "it is still the bright picture"
