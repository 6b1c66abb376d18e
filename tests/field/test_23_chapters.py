"""Chapters, and whatever else the container and not a stream knows, vanished without a note."""

from pathlib import Path

import av
import pytest

from tests.helpers.dubbed_file import written
from tests.helpers.films import Track, film
from tests.helpers.streams import ffmpeg, probe

CHAPTERS = [(0.0, 0.4, "Arrival"), (0.4, 1.0, "Härte & Glück")]


def chapters(path: Path) -> list[tuple[float, float, str]]:
    found = probe(path, "-show_chapters")["chapters"]
    return [
        (round(float(c["start_time"]), 2), round(float(c["end_time"]), 2), c["tags"]["title"])
        for c in found
    ]


@pytest.mark.parametrize(
    ("of", "into"), [("mkv", "mp4"), ("mp4", "mkv"), ("mp4", "mov"), ("mkv", "mkv")]
)
def test_chapters_stay(tmp_path: Path, of: str, into: str) -> None:
    path = film(tmp_path / f"in.{of}", Track(), picture="libx264", chapters=CHAPTERS)
    assert written(path, tmp_path / f"out.{into}") == []
    assert chapters(tmp_path / f"out.{into}") == CHAPTERS


def test_chapters_move_with_the_timeline(tmp_path: Path) -> None:
    """A recording whose clock begins at an hour: its first picture is at 0 afterwards."""
    later = [(3600 + start, 3600 + end, title) for start, end, title in CHAPTERS]
    film(tmp_path / "in.mkv", Track(), chapters=later, begin=3600)
    written(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert [title for *_, title in chapters(tmp_path / "out.mkv")] == ["Arrival", "Härte & Glück"]
    assert chapters(tmp_path / "out.mkv")[1][0] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("into", ["wav", "ts"])
def test_lost_chapters_are_noted(tmp_path: Path, into: str) -> None:
    path = film(tmp_path / "in.mkv", Track(), chapters=CHAPTERS)
    notes = written(path, tmp_path / f"out.{into}")
    assert f"the chapters are left out: .{into} has no place for them" in notes


def test_lost_tags_are_named(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mkv", metadata={"title": "Ferry", "scanner": "HX-2"})
    notes = written(path, tmp_path / "out.mp4")
    assert "the tag SCANNER is left out: .mp4 has no place for it" in notes
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert out.metadata["title"] == "Ferry"
    assert written(path, tmp_path / "out.mkv") == []


@pytest.mark.parametrize("into", ["mp4", "mkv"])
def test_how_the_picture_is_to_be_shown_stays(tmp_path: Path, into: str) -> None:
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", "-f", "lavfi", "-i", "sine=d=0.4",
        "-vf", "setsar=4/3", "-c:v", "libx265", "-x265-params",
        "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):"
        "max-cll=1000,400", "-pix_fmt", "yuv420p10le", "-c:a", "aac", tmp_path / "flat.mkv",
    )  # fmt: skip
    with (
        av.open(str(tmp_path / "flat.mkv")) as media,
        av.open(str(tmp_path / "in.mov"), "w") as out,
    ):
        copies = [out.add_stream_from_template(s, opaque=True) for s in media.streams]
        copies[0].set_display_rotation(90)  # type: ignore[union-attr]
        for packet in media.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                out.mux_one(packet)
    assert written(tmp_path / "in.mov", tmp_path / f"out.{into}") == []

    def looks(path: Path) -> dict[str, object]:
        with av.open(str(path)) as media:
            frame = next(media.decode(video=0))
            video = media.streams.video[0].codec_context
            return {
                "rotation": frame.rotation,
                "aspect": media.streams.video[0].sample_aspect_ratio,
                "kinds": sorted(str(data.type) for data in frame.side_data),
                "colour": (video.color_primaries, video.color_trc, video.colorspace),
            }

    before = looks(tmp_path / "in.mov")
    assert before["rotation"] and len(before["kinds"]) >= 3  # type: ignore[arg-type]
    assert looks(tmp_path / f"out.{into}") == before
