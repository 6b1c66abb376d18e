"""Of a multiplex with several programmes, one's picture was shown with another's sound, and all
variants of HLS were fetched at once; both must be of one programme, and one variant be fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.sessions.sources import Pull
from stream.media.options import InputOptions
from stream.media.source import MediaSource
from tests.helpers.made_sources import beeping, read
from tests.helpers.served_folder import playlist, served
from tests.helpers.streams import ffmpeg

SIZES = {"A": (64, 48), "B": (48, 64)}


def multiplex(path: Path, *, better: str) -> Path:
    """Two programmes: A is upright and beeps at 400 Hz, B turned and at 2000 Hz."""
    rates = ("64k", "192k") if better == "B" else ("192k", "64k")
    inputs: list[str] = []
    for (width, height), tone in zip(SIZES.values(), (400, 2000), strict=True):
        inputs += ["-f", "lavfi", "-i", f"testsrc2=s={width}x{height}:r=25:d=2"]
        inputs += ["-f", "lavfi", "-i", f"sine={tone}:r=48000:d=2"]
    ffmpeg(
        *inputs, *(option for n in range(4) for option in ("-map", str(n))),
        "-program", "title=A:st=0:st=1", "-program", "title=B:st=2:st=3", "-c:v", "mpeg2video",
        "-c:a", "mp2", "-b:a:0", rates[0], "-b:a:1", rates[1],
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra", path,
    )  # fmt: skip
    return path


def programmes(source: MediaSource) -> tuple[str, str]:
    """Whose picture and whose sound is taken."""
    heard = read(source)
    sizes = {size: name for name, size in SIZES.items()}
    picture = sizes[heard.pictures[0].format.width, heard.pictures[0].format.height]
    samples = heard.sound[len(heard.sound) // 2][:, 0]
    crossings = (samples[:-1] * samples[1:] < 0).sum() / len(samples) * 24_000
    return picture, "A" if crossings < 1000 else "B"


@pytest.mark.parametrize("better", ["A", "B"])
@pytest.mark.parametrize("live", [False, True])
def test_picture_and_sound_are_of_one_programme(tmp_path: Path, better: str, live: bool) -> None:
    path = multiplex(tmp_path / "a.ts", better=better)
    picture, sound = programmes(MediaSource(path, live=live, layout="stereo"))
    assert picture == sound


@pytest.mark.parametrize(("track", "name"), [(0, "A"), (1, "B"), ("eng", "A"), ("fra", "B")])
def test_the_picture_follows_the_track_that_is_chosen(
    tmp_path: Path, track: int | str, name: str
) -> None:
    path = multiplex(tmp_path / "a.ts", better="B")
    source = MediaSource(path, choice=InputOptions(track=track), live=True, layout="stereo")
    assert programmes(source) == (name, name)


def test_a_cover_is_no_picture(tmp_path: Path) -> None:
    path, cover = beeping(tmp_path / "a.mp4", length=1), tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=640x480", "-frames:v", "1", cover)
    both = tmp_path / "both.mp4"
    ffmpeg(
        "-i", cover, "-i", path, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0",
        "attached_pic", both,
    )  # fmt: skip
    heard = read(MediaSource(both))
    assert {picture.format.codec for picture in heard.pictures} == {"h264"}


def test_one_variant_of_hls_is_fetched(tmp_path: Path) -> None:
    sizes = [("low", 64, 64_000), ("high", 128, 256_000), ("middle", 96, 128_000)]
    master = ["#EXTM3U"]
    for name, side, rate in sizes:
        path = beeping(tmp_path / f"{name}.ts", size=f"{side}x{side}", length=1)
        for number in range(4):
            (tmp_path / f"{name}{number}.ts").write_bytes(path.read_bytes())
        names = [f"{name}{number}.ts" for number in range(4)]
        text = playlist(*names, seconds=1, discontinuous=True)
        (tmp_path / f"{name}.m3u8").write_text(text)
        master += [f"#EXT-X-STREAM-INF:BANDWIDTH={rate},RESOLUTION={side}x{side}", f"{name}.m3u8"]
    (tmp_path / "master.m3u8").write_text("\n".join([*master, ""]))
    with served(tmp_path) as here:
        heard = read(Pull(f"{here.url}/master.m3u8").open())
    assert {p.format.width for p in heard.pictures} == {128}, "the best"
    assert heard.beeps == pytest.approx([0, 1, 2, 3], abs=0.3)
    late = [path for path in here.asked if path.endswith("3.ts")]
    assert late == ["/high3.ts"]


def test_the_whole_multiplex_is_copied_into_a_file(tmp_path: Path) -> None:
    source = MediaSource(multiplex(tmp_path / "a.ts", better="A"))
    kinds = [stream.type for stream in source.info.streams]
    source.close()
    assert kinds.count("video") == kinds.count("audio") == 2


def test_the_best_variant_is_shown_where_sound_is_apart(tmp_path: Path) -> None:
    master = ["#EXTM3U"]
    master.append('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=YES,URI="sound.m3u8"')
    plain = beeping(tmp_path / "plain.mkv", length=2)
    ffmpeg("-i", plain, "-map", "a", "-c", "copy", tmp_path / "sound.ts")
    (tmp_path / "sound.m3u8").write_text(playlist("sound.ts", seconds=2))
    for name, side in (("low", 64), ("high", 128)):
        beeping(tmp_path / f"{name}.ts", "-an", size=f"{side}x{side}", length=2)
        (tmp_path / f"{name}.m3u8").write_text(playlist(f"{name}.ts", seconds=2))
        variant = f'BANDWIDTH={side}000,RESOLUTION={side}x{side},AUDIO="a"'
        master += [f"#EXT-X-STREAM-INF:{variant}", f"{name}.m3u8"]
    (tmp_path / "master.m3u8").write_text("\n".join([*master, ""]))
    with served(tmp_path) as here:
        heard = read(Pull(f"{here.url}/master.m3u8").open())
    assert {p.format.width for p in heard.pictures} == {128}
    assert heard.beeps == pytest.approx([0, 1], abs=0.1)
