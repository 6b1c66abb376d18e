"""H.264 with B-frames out of AVI was shown in decoding order; it must be the order of showing."""

import contextlib
from pathlib import Path

import av
import av.error
import numpy as np
import pytest

from stream.frames import PicturePacket
from tests.helpers.dubbed_file import written
from tests.helpers.streams import ffmpeg, pictures_of

RAMP = "color=black:s=64x64:r=25:d=2,geq=lum='16+4*N':cb=128:cr=128"
"""Every picture is brighter than the one before."""


def ramp(path: Path, *coding: str) -> Path:
    ffmpeg("-f", "lavfi", "-i", RAMP, "-f", "lavfi", "-i", "sine=d=2", *coding, "-c:a", "mp3", path)
    return path


CODINGS = {
    "h264": ("-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p"),
    "pyramid": ("-c:v", "libx264", "-bf", "7", "-b_strategy", "0", "-pix_fmt", "yuv420p"),
    "no B-frames": ("-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p"),
    "mpeg4": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2"),
}


@pytest.mark.parametrize(
    ("coding", "suffix"),
    [("h264", "mp4"), ("pyramid", "mkv"), ("no B-frames", "mp4"), ("mpeg4", "mkv")],
)
def test_pictures_are_shown_in_their_order(tmp_path: Path, coding: str, suffix: str) -> None:
    source = ramp(tmp_path / "in.avi", *CODINGS[coding])
    assert written(source, tmp_path / f"out.{suffix}") == []
    with av.open(str(tmp_path / f"out.{suffix}")) as out:
        packets = [p for p in out.demux(video=0) if p.size]
        assert all(p.dts <= p.pts for p in packets if p.pts is not None and p.dts is not None)
        out.seek(0)
        shown = [(f.time, f.to_ndarray(format="gray").mean()) for f in out.decode(video=0)]
    times, brightness = map(np.array, zip(*shown, strict=True))
    assert len(shown) == 50
    assert np.all(np.diff(brightness) > 1)
    assert np.allclose(np.diff(times.astype(float))[1:], 0.04, atol=0.002)  # AVI skips the first


def test_damage_costs_no_order(tmp_path: Path) -> None:
    content = bytearray(ramp(tmp_path / "in.avi", *CODINGS["h264"], "-g", "10").read_bytes())
    middle = content.index(b"00dc", len(content) // 3) + 20
    content[middle : middle + 30] = bytes(30)
    (tmp_path / "bad.avi").write_bytes(content)
    written(tmp_path / "bad.avi", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as out:
        shown = []
        for packet in out.demux(video=0):
            with contextlib.suppress(av.error.InvalidDataError):
                shown += [f.to_ndarray(format="gray").mean() for f in packet.decode()]
    assert len(shown) > 35 and np.mean(np.diff(shown) > 0) > 0.85


def test_a_session_shows_them_in_order(tmp_path: Path) -> None:
    pictures: list[PicturePacket] = pictures_of(ramp(tmp_path / "in.avi", *CODINGS["h264"]))
    assert len(pictures) == 50
    shown = [picture.shown for picture in pictures]
    assert shown != sorted(shown) and len(set(shown)) == 50
    assert all(picture.shown >= picture.time for picture in pictures)
