"""Strangers choose among a few containers and decoders, not among all that FFmpeg has."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from server.rtmp.connection import SOURCE_OPTIONS
from stream.media.source import MediaSource, SourceError
from tests.helpers.http_servers import serving
from tests.helpers.opened import samples
from tests.helpers.streams import ffmpeg


@pytest.mark.parametrize(
    ("kind", "codec", "taken"),
    [
        ("ogg", "flac", True),
        ("wav", "pcm_s16le", True),
        ("mkv", "pcm_s16le", True),
        ("mkv", "wavpack", False),
        ("wav", "adpcm_ms", False),
        ("aiff", "pcm_s16be", False),
        ("caf", "pcm_s16le", False),
    ],
)
def test_what_is_pulled(kind: str, codec: str, taken: bool, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    ffmpeg("-f", "lavfi", "-i", "sine=d=1:sample_rate=48000", "-c:a", codec, path)
    with serving() as site:
        site.pages["/a"] = path
        if taken:
            assert samples(f"{site.url}/a") > 40_000
        else:
            with pytest.raises(SourceError, match="not taken"):
                samples(f"{site.url}/a")


@pytest.mark.parametrize(
    ("codecs", "streams"),
    [(("libmp3lame", "libx264"), 2), (("aac", "flashsv"), 1), (("nellymoser", None), 0)],
)
def test_what_is_published_by_rtmp(
    codecs: tuple[str, str | None], streams: int, tmp_path: Path
) -> None:
    sound, picture = codecs
    rate = "22050" if sound == "nellymoser" else "44100"
    shown = ["-f", "lavfi", "-i", "testsrc2=s=64x64:d=1"] if picture else []
    coded = ["-c:v", picture] if picture else []
    made = ["-f", "lavfi", "-i", "sine=d=1", "-ar", rate, "-c:a", sound]
    ffmpeg(*shown, *made, *coded, "-shortest", tmp_path / "a.flv")
    data = io.BytesIO((tmp_path / "a.flv").read_bytes())

    def read() -> MediaSource:
        return MediaSource("it", file=data, format="flv", options=SOURCE_OPTIONS, live=True)

    if not streams:
        with pytest.raises(SourceError, match="not taken"):
            read()
        return
    source = read()
    assert (source.info.picture is not None) == (streams == 2)
    assert any(source)
    source.close()


def test_names_of_decoders_are_ffmpegs() -> None:
    from stream.media.opening import NETWORK_CODECS

    known = av.codecs_available
    assert {"aac", "h264", "libdav1d", "mp3float"} <= set(NETWORK_CODECS.split(",")) & known
