import shutil
from pathlib import Path

import pytest

from server.hls.fragment import picture_fragment
from tests.helpers.streams import ffmpeg, packets, pictures_of

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.mark.parametrize("every", [1, 7, 250])
def test_every_picture_keeps_its_time_however_many_are_keyframes(
    every: int, tmp_path: Path
) -> None:
    path = tmp_path / "source.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=4", "-f", "lavfi", "-i", "sine=d=4",
        "-c:v", "libx264", "-g", str(every),
        "-bf", "0", "-pix_fmt", "yuv420p", path,
    )  # fmt: skip
    pictures = pictures_of(path)
    first, second = pictures[:50], pictures[50:]
    begun = picture_fragment(first, second[0].time, 1)
    later = picture_fragment(second, second[-1].time + 1920, 2)
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(begun.init + begun.media + later.media)
    read = [round(float(packet["pts_time"]) * 48_000) for packet in packets(whole, "v:0")]
    assert read == [picture.shown for picture in pictures]
