"""A stream that appeared after opening ended the connection again and again; a picture that begins
after the sound must join when it comes, and an extra stream must be ignored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from stream.media.source import MediaSource
from tests.helpers.made_sources import AUDIO, VIDEO, Tag, beeping, coded, flv_tags, read
from tests.helpers.rtmp_publisher import publish
from tests.helpers.streams import ffmpeg

PROBE = {"probesize": "20000", "analyzeduration": "100000", "fpsprobesize": "0"}


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> list[Tag]:
    return flv_tags(beeping(tmp_path_factory.mktemp("flv") / "a.flv"))


def later(tags: Sequence[Tag], kind: int, ms: int) -> list[Tag]:
    """One kind from its first keyframe after ``ms`` on, its configuration just before it."""
    configuration = next(tag for tag in tags if tag.kind == kind and tag.configures)
    kept: list[Tag] = []
    begun = False
    for tag in tags:
        if tag.kind != kind:
            kept.append(tag)
        elif tag.time >= ms and not tag.configures:
            if not begun:
                kept.append(Tag(kind, 0, configuration.body))
            begun = True
            kept.append(tag)
    return kept


@pytest.mark.parametrize("ms", [200, 1000, 2000])
async def test_a_picture_that_begins_later_joins(tags: list[Tag], ms: int) -> None:
    heard = await publish(later(tags, VIDEO, ms))
    assert heard.length == pytest.approx(3, abs=0.07)
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.06)
    assert heard.shown[0] == pytest.approx(ms / 1000, abs=0.05)
    assert len(heard.pictures) == 75 - ms // 40
    assert heard.pictures[0].key


async def test_a_picture_may_go_and_another_come(tags: list[Tag], tmp_path: Path) -> None:
    """The encoder went from H.264 to VP9."""
    other = flv_tags(coded(tmp_path / "b.flv", "libvpx-vp9", length=3))
    configuration, *coding = [tag for tag in other if tag.kind == VIDEO]
    pictures = [Tag(VIDEO, 2000, configuration.body), *(t for t in coding if t.time >= 2000)]
    kept = [t for t in tags if t.kind == AUDIO or t.time < 2000]
    heard = await publish(sorted(kept + pictures, key=lambda tag: tag.time))
    assert heard.length == pytest.approx(3, abs=0.07)
    assert {picture.format.codec for picture in heard.pictures} == {"h264", "vp9"}
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.06)


async def test_sound_of_another_codec_goes_on(tags: list[Tag], tmp_path: Path) -> None:
    mp3 = flv_tags(beeping(tmp_path / "b.flv", "-c:a", "libmp3lame", "-ar", "44100"))
    first = [tag for tag in tags if tag.time < 1500]
    heard = await publish(first + [t for t in mp3 if t.time >= 1500 and t.kind == AUDIO])
    assert heard.beeps == pytest.approx([0, 1, 2], abs=0.06)
    assert heard.length == pytest.approx(3, abs=0.1)


class Pipe:
    """A file that cannot be sought in."""

    def __init__(self, *parts: Path) -> None:
        self._data = b"".join(part.read_bytes() for part in parts)
        self._at = 0

    def read(self, size: int, /) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]


def test_a_sound_track_that_is_added_to_a_broadcast_is_ignored(tmp_path: Path) -> None:
    one = beeping(tmp_path / "one.ts", length=2)
    two = tmp_path / "two.ts"
    ffmpeg(
        "-i", one, "-f", "lavfi", "-i", "sine=300:d=2", "-map", "0", "-map", "1", "-c:v", "copy",
        "-c:a", "aac", "-output_ts_offset", "2", two,
    )  # fmt: skip
    source = MediaSource("tv", file=Pipe(one, two), options=PROBE, layout="stereo", live=True)
    heard = read(source)
    assert heard.beeps == pytest.approx([0, 1, 2, 3], abs=0.1)
    assert len(heard.pictures) == 100


def test_a_file_whose_sound_begins_late_is_dubbed(tmp_path: Path) -> None:
    """Beyond what FFmpeg reads of a file by itself."""
    silent, sound = tmp_path / "silent.ts", tmp_path / "sound.ts"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=8", "-c:v", "mpeg2video", "-g", "25", silent
    )
    beeping(sound, "-c:v", "mpeg2video", "-output_ts_offset", "8", length=2)
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=8", "-c:v", "mpeg2video",
        "-output_ts_offset", "10", tmp_path / "end.ts",
    )  # fmt: skip
    whole = tmp_path / "whole.ts"
    parts = (silent, sound, tmp_path / "end.ts")
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    heard = read(MediaSource(whole))
    assert heard.beeps == pytest.approx([8, 9], abs=0.1)
    assert len(heard.pictures) == 18 * 25
