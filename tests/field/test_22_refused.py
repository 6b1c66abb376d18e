"""One TrueHD track ended the whole job; what a container refuses is left out, with a note."""

from pathlib import Path

import pytest

from tests.helpers.dubbed_file import written
from tests.helpers.films import Track, film
from tests.helpers.streams import ffmpeg, probe


def codecs(path: Path) -> list[str]:
    return [
        stream["codec_name"]
        for stream in probe(path, "-show_entries", "stream=codec_name")["streams"]
    ]


@pytest.mark.parametrize(
    ("codec", "suffix", "kept"),
    [
        ("truehd", "mp4", False),
        ("truehd", "mkv", True),
        ("flac", "ts", False),
        ("pcm_s16le", "mov", True),
    ],
)
def test_a_track_that_is_refused_is_noted(
    tmp_path: Path, codec: str, suffix: str, kept: bool
) -> None:
    base = film(tmp_path / "base.mkv", Track(), Track(), picture="libx264", length=0.4)
    path = tmp_path / "in.mkv"
    coding = ("-c", "copy", "-c:a:1", codec, "-strict", "-2", "-ar", "48000")
    ffmpeg("-i", base, "-map", "0", *coding, path)
    notes = written(path, tmp_path / f"out.{suffix}")
    there = ["h264", "aac", "aac", *([codec] if kept else [])]
    assert sorted(codecs(tmp_path / f"out.{suffix}")) == sorted(there)
    refused = f"audio track 2 is left out: .{suffix} cannot hold {codec}"
    assert (refused in notes) is not kept
