"""AV1 by enhanced RTMP was heard and not seen by HLS, as a decoder's name was compared with a
codec's; pictures are called by their codec, whichever decoder FFmpeg has for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.hls_folder import written
from tests.helpers.made_sources import coded, flv_tags
from tests.helpers.rtmp_publisher import publish
from tests.helpers.streams import pictures_of, probe


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
