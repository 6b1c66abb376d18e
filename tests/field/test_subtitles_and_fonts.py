"""Subtitles, fonts and covers that the other container holds otherwise were left out; they stay."""

from pathlib import Path

import av
import pytest

from tests.helpers.dubbed_file import written
from tests.helpers.films import Track, film
from tests.helpers.streams import ffmpeg, probe

SRT = """1
00:00:00,100 --> 00:00:00,500
The river <i>ferry</i>

2
00:00:00,600 --> 00:00:00,900
leaves & returns
"""


def film_with_subtitles(path: Path, codec: str, *, cover: bool = False) -> Path:
    base = film(path.with_name("base.mkv"), Track(), picture="libx264")
    path.with_name("s.srt").write_text(SRT, "utf-8")
    ffmpeg(
        "-i", base, "-i", path.with_name("s.srt"), "-map", "0", "-map", "1", "-c", "copy",
        "-c:s", codec, "-metadata:s:s:0", "language=eng", path,
    )  # fmt: skip
    return path


def cues(path: Path) -> list[tuple[float, str]]:
    """When each begins, to a tenth of a second, and what it says."""
    shown = ffmpeg("-i", path, "-map", "0:s:0", "-f", "srt", "-").stdout.decode()
    blocks = [block.split("\n", 2) for block in shown.strip().split("\n\n")]
    return [(round(float(time[6:12].replace(",", ".")), 1), text) for _, time, text in blocks]


@pytest.mark.parametrize(
    ("of", "codec", "into", "becomes"),
    [
        ("mkv", "srt", "mp4", "mov_text"),
        ("mkv", "ass", "mov", "mov_text"),
        ("mp4", "mov_text", "mkv", "subrip"),
        ("mkv", "srt", "mkv", "subrip"),
    ],
)
def test_text_is_converted(tmp_path: Path, of: str, codec: str, into: str, becomes: str) -> None:
    path = film_with_subtitles(tmp_path / f"in.{of}", codec)
    notes = written(path, tmp_path / f"out.{into}")
    stream = probe(tmp_path / f"out.{into}", "-select_streams", "s", "-show_streams")["streams"][0]
    assert (stream["codec_name"], stream["tags"]["language"]) == (becomes, "eng")
    assert cues(tmp_path / f"out.{into}") == cues(path) != []
    codec = {"srt": "subrip"}.get(codec, codec)
    assert bool(notes) is (codec != becomes)
    if notes:
        assert notes == [f"subtitle track 2 was converted from {codec} to {becomes} for .{into}"]


def test_where_there_is_no_text_it_is_noted(tmp_path: Path) -> None:
    path = film_with_subtitles(tmp_path / "in.mkv", "srt")
    notes = written(path, tmp_path / "out.ts")
    assert "subtitle track 2 is left out: .ts cannot hold subrip" in notes


def test_fonts_stay_or_are_named(tmp_path: Path) -> None:
    film(tmp_path / "base.mkv", Track())
    (tmp_path / "plain.ttf").write_bytes(bytes(range(256)))
    ffmpeg(
        "-i", tmp_path / "base.mkv", "-c", "copy", "-attach", tmp_path / "plain.ttf",
        "-metadata:s:t", "mimetype=font/ttf", tmp_path / "in.mkv",
    )  # fmt: skip
    assert written(tmp_path / "in.mkv", tmp_path / "out.mkv") == []
    with av.open(str(tmp_path / "out.mkv")) as out:
        (font,) = (stream for stream in out.streams if stream.type == "attachment")
        assert (font.name, font.mimetype, font.data) == ("plain.ttf", "font/ttf", bytes(range(256)))
    notes = written(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert notes == ["attachment plain.ttf is left out: .mp4 cannot hold it"]


@pytest.mark.parametrize(
    ("of", "into"), [("mp4", "mkv"), ("mkv", "mp4"), ("mkv", "mkv"), ("mp4", "mp4")]
)
def test_a_cover_stays_a_cover(tmp_path: Path, of: str, into: str) -> None:
    film(tmp_path / "base.mkv", Track(), picture="libx264")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", tmp_path / "c.jpg")
    if of == "mkv":
        extra = ("-attach", tmp_path / "c.jpg", "-metadata:s:t", "mimetype=image/jpeg")
        ffmpeg("-i", tmp_path / "base.mkv", "-c", "copy", *extra, tmp_path / "in.mkv")
    else:
        ffmpeg(
            "-i", tmp_path / "base.mkv", "-i", tmp_path / "c.jpg", "-map", "0", "-map", "1",
            "-c", "copy", "-disposition:v:1", "attached_pic", tmp_path / "in.mp4",
        )  # fmt: skip
    assert written(tmp_path / f"in.{of}", tmp_path / f"out.{into}") == []
    found = probe(tmp_path / f"out.{into}", "-show_streams")["streams"]
    pictures = [s for s in found if s["codec_type"] == "video"]
    assert [s["codec_name"] for s in pictures] == ["h264", "mjpeg"]
    assert [s["disposition"]["attached_pic"] for s in pictures] == [0, 1]
    assert len([s for s in found if s["codec_type"] == "audio"]) == 2
