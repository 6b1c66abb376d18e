"""AV1 by enhanced RTMP was heard and not seen by HLS, as a decoder's name was compared with a
codec's; pictures are called by their codec, whichever decoder FFmpeg has for it."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tests.helpers.hls_folder import written
from tests.helpers.made_sources import beeping, flv_tags
from tests.helpers.rtmp_publisher import publish
from tests.helpers.streams import pictures_of, probe


def coded(path: Path, picture: str, sound: str = "aac") -> Path:
    """Two seconds by PyAV's FFmpeg, which unlike old ones writes these codecs into FLV."""
    plain = beeping(path.with_name("plain.mkv"), length=2)
    with av.open(str(plain)) as read, av.open(str(path), "w") as out:
        video = out.add_stream(picture, rate=25, options={"preset": "12", "g": "25"})
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = out.add_stream(sound, rate=48_000, layout="mono")
        for frame in read.decode(video=0):
            frame.pict_type = av.video.frame.PictureType.NONE
            out.mux(video.encode(frame))
        out.mux(video.encode())
        read.seek(0)
        for heard in read.decode(audio=0):
            out.mux(audio.encode(heard))
        out.mux(audio.encode())
    return path


async def test_av1_that_is_published_is_seen(tmp_path: Path) -> None:
    heard = await publish(flv_tags(coded(tmp_path / "a.flv", "libsvtav1")))
    assert {picture.format.codec for picture in heard.pictures} == {"av1"}
    assert len(heard.pictures) == 50
    assert heard.beeps == pytest.approx([0, 1], abs=0.06)


def test_av1_is_in_hls(tmp_path: Path) -> None:
    source = coded(tmp_path / "a.mkv", "libsvtav1")
    written(source, tmp_path / "hls")
    master = (tmp_path / "hls" / "master.m3u8").read_text()
    assert 'CODECS="av01.0.00M.08,' in master and "RESOLUTION=64x64" in master
    streams = probe(tmp_path / "hls" / "master.m3u8", "-show_streams")["streams"]
    assert "av1" in [stream["codec_name"] for stream in streams]


@pytest.mark.parametrize(("encoder", "codec"), [("libvpx", "vp8"), ("libvpx-vp9", "vp9")])
def test_others_are_called_by_their_codec_too(tmp_path: Path, encoder: str, codec: str) -> None:
    source = coded(tmp_path / "a.mkv", encoder, "libopus")
    assert {picture.format.codec for picture in pictures_of(source)} == {codec}
