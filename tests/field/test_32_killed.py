"""An hour of dubbing was lost to a crash: a killed or failed job must leave a playable part.

Its subtitles are there as well, and ``--resume`` goes on from it.
"""

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from stream.frames import AudioChunk
from stream.media.sink import FileSink, SinkError
from stream.media.source import MediaSource
from tests.helpers.dubbed_file import copy
from tests.helpers.films import Track, film
from tests.helpers.streams import ffmpeg


def lengths(path: Path) -> list[float]:
    """Seconds of every track that can be decoded."""
    with av.open(str(path)) as media:
        ends: dict[int, float] = {}
        for packet in media.demux():
            for frame in packet.decode() if packet.stream.type in ("audio", "video") else ():
                ends[packet.stream_index] = float(frame.time or 0)
    return list(ends.values())


def interrupted(path: Path, out: Path, at: float) -> FileSink:
    """Write a source up to a time, and go no further."""
    source = MediaSource(path)
    sink = FileSink(out, source.info, language="pt", source_language="en")
    for item in source:
        if isinstance(item, AudioChunk):
            sink.write_audio(item.samples)
            if item.end > at * 48_000:
                break
        else:
            sink.write_packet(item)
    source.close()
    return sink


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    path = film(folder / "in.mkv", Track(), picture="libx264", length=6)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_what_a_killed_process_leaves_can_be_played(
    long: Path, tmp_path: Path, suffix: str
) -> None:
    sink = interrupted(long, tmp_path / f"out.{suffix}", 5)
    left = tmp_path / f"left.{suffix}"  # as the disk holds it at this moment
    shutil.copy(sink.part, left)
    sink.discard()
    assert len(lengths(left)) == 3
    assert all(length > 2.5 for length in lengths(left))
    assert list(tmp_path.iterdir()) == [left]


@pytest.mark.parametrize("suffix", ["wav", "m4a", "opus"])
def test_sound_alone_too(long: Path, tmp_path: Path, suffix: str) -> None:
    sink = interrupted(long, tmp_path / f"out.{suffix}", 5)
    assert sink.keep()
    assert lengths(sink.part)[0] > 2.5


def test_sound_that_must_be_configured_by_its_first_packet(long: Path, tmp_path: Path) -> None:
    ffmpeg("-i", long, "-c", "copy", tmp_path / "in.ts")
    sink = interrupted(tmp_path / "in.ts", tmp_path / "out.mp4", 5)
    assert sink.keep()
    assert len(lengths(sink.part)) == 3 and min(lengths(sink.part)) > 2.5


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_full_disk_leaves_what_fits(long: Path, tmp_path: Path, suffix: str) -> None:
    source = MediaSource(long)
    sink = FileSink(tmp_path / f"out.{suffix}", source.info, language="pt", source_language="en")
    with full_disk(100_000), pytest.raises(SinkError, match=f"out.{suffix} cannot be written: "):
        copy(source, sink)
    source.close()
    assert sink.keep()
    assert min(lengths(sink.part)) > 1


def test_nothing_is_left_of_what_was_not_begun(long: Path, tmp_path: Path) -> None:
    assert not interrupted(long, tmp_path / "out.mp4", 0.2).keep()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["mp4", "m4a"])
def test_a_cover_leaves_no_empty_track(tmp_path: Path, suffix: str) -> None:
    base = film(tmp_path / "base.m4a", Track(), length=3)
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", tmp_path / "c.jpg")
    ffmpeg(
        "-i", base, "-i", tmp_path / "c.jpg", "-map", "0", "-map", "1", "-c", "copy",
        "-disposition:v:0", "attached_pic", tmp_path / "in.m4a",
    )  # fmt: skip
    source = MediaSource(tmp_path / "in.m4a")
    out = tmp_path / f"out.{suffix}"
    sink = FileSink(out, source.info, language="pt", source_language="en")
    copy(source, sink)
    source.close()
    with av.open(str(out)) as made:
        assert sorted(stream.type for stream in made.streams) == ["audio", "audio", "video"]
        assert made.streams.video[0].disposition & av.stream.Disposition.attached_pic
        assert made.streams.video[0].codec_context is not None
