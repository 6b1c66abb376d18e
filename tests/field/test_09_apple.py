"""An iPhone's HEVC came out as hev1, which Apple's players refuse; it must be hvc1."""

from pathlib import Path

import av
import pytest

from server.outputs.recording import Recording
from stream.media.annexb import AnnexB
from tests.helpers.dubbed_file import written
from tests.helpers.feeds import file_feed
from tests.helpers.films import Track, film
from tests.helpers.streams import probe


def tag(path: Path) -> str:
    shown = probe(path, "-select_streams", "v", "-show_entries", "stream=codec_tag_string")
    return str(shown["streams"][0]["codec_tag_string"])


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as media:
        return [f.to_ndarray(format="gray").tobytes() for f in media.decode(video=0)]


@pytest.mark.parametrize(
    ("of", "given", "into"),
    [("mov", "hvc1", "mp4"), ("mp4", "hev1", "mov"), ("mkv", None, "m4v"), ("ts", None, "mp4")],
)
def test_hevc_is_hvc1(tmp_path: Path, of: str, given: str | None, into: str) -> None:
    path = film(tmp_path / f"in.{of}", picture="libx265", tag=given, length=0.4)
    written(path, tmp_path / f"out.{into}")
    assert tag(tmp_path / f"out.{into}") == "hvc1"
    assert pictures(tmp_path / f"out.{into}") == pictures(path)


def test_parameter_sets_move_out_of_the_pictures(tmp_path: Path) -> None:
    """Where they are in the pictures alone, players that take hvc1 would not find them."""
    film(tmp_path / "whole.mkv", picture="libx265", length=0.4)
    with (
        av.open(str(tmp_path / "whole.mkv")) as media,
        av.open(str(tmp_path / "in.mkv"), "w") as out,
    ):
        video, audio = media.streams.video[0], media.streams.audio[0]
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in (video, audio)}
        record = bytes(video.codec_context.extradata or b"")
        sets = AnnexB("hevc", record).sets.split(b"\x00\x00\x00\x01")[1:]
        copies[video.index].codec_context.extradata = record[:22] + b"\x00"
        for packet in media.demux(video, audio):
            if not packet.size:
                continue
            new = packet
            if packet.stream is video and packet.is_keyframe:
                inside = b"".join(len(unit).to_bytes(4, "big") + unit for unit in sets)
                new = av.Packet(inside + bytes(packet))
                new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
                new.is_keyframe = True
            new.stream = copies[packet.stream.index]
            out.mux_one(new)
    written(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert tag(tmp_path / "out.mp4") == "hvc1"
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert AnnexB("hevc", bytes(made.streams.video[0].codec_context.extradata or b"")).complete
    assert pictures(tmp_path / "out.mp4") == pictures(tmp_path / "whole.mkv")


def test_other_names_stay(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mov", Track(), picture="libx264", tag="avc3", length=0.4)
    written(path, tmp_path / "out.mov")
    assert tag(path) == tag(tmp_path / "out.mov") == "avc3"


async def test_a_recording_is_hvc1(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mp4", picture="libx265", length=0.8)
    async with file_feed(path, speed=8.0) as feed:
        recording = Recording(feed, tmp_path / "show.mp4")
        await recording.run()
    assert tag(tmp_path / "show.mp4") == "hvc1"
    assert len(pictures(tmp_path / "show.mp4")) == len(pictures(path))
