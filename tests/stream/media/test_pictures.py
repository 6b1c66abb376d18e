"""Pictures of real sources, and codings that change midway."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest

from stream.frames import PicturePacket
from stream.media.annexb import CODECS, split_units, unit_type
from stream.media.pictures import SoundAndPicture
from stream.media.source import MediaSource
from tests.helpers.streams import ffmpeg, pictures_of, small_source

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

ENCODERS = {"h264": "libx264", "hevc": "libx265"}
SIZES = [(160, 90), (320, 180)]


def decoded_sizes(pictures: list[PicturePacket]) -> list[tuple[int, int]]:
    decoder = av.CodecContext.create(pictures[0].format.codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.options = {"err_detect": "explode"}
    frames = [frame for one in pictures for frame in decoder.decode(av.Packet(one.data))]
    frames += decoder.decode(None)
    return [(frame.width, frame.height) for frame in frames]


def clip(path: Path, codec: str, size: tuple[int, int]) -> Path:
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=s={size[0]}x{size[1]}:r=25:d=1",
        "-f", "lavfi", "-i", "sine=r=48000:d=1", "-c:v", ENCODERS[codec], "-g", "10",
        "-x265-params", "log-level=0:keyint=10", "-pix_fmt", "yuv420p", "-c:a", "aac", path,
    )  # fmt: skip
    return path


def remuxed(source: Path, target: Path, *, after: float = 0.0) -> Path:
    """By PyAV's FFmpeg, which unlike old ones writes HEVC into FLV."""
    options = {"flvflags": "no_duration_filesize"} if target.suffix == ".flv" else {}
    with av.open(str(source)) as read, av.open(str(target), "w", options=options) as written:
        copies = {
            stream.index: written.add_stream_from_template(stream, opaque=True)
            for stream in read.streams
        }
        for packet in read.demux():
            if packet.dts is None or packet.pts is None:
                continue
            packet.dts += round(after / packet.time_base)
            packet.pts += round(after / packet.time_base)
            packet.stream = copies[packet.stream_index]
            written.mux_one(packet)
    return target


def joined(folder: Path, codec: str, kind: str) -> Path:
    """A second of one size, then a second of another, in one stream.

    Args:
        folder: for the files.
        codec: of the picture.
        kind: ``beside`` for a new configuration beside the stream, ``inside`` for new parameter
            sets in a stream that has its first ones beside it, ``ts`` for one that has none there.
    """
    parts = [clip(folder / f"{n}.mp4", codec, size) for n, size in enumerate(SIZES)]
    if kind == "beside":
        tags = [remuxed(part, folder / f"{n}.flv", after=n) for n, part in enumerate(parts)]
        whole = folder / "joined.flv"
        whole.write_bytes(tags[0].read_bytes() + tags[1].read_bytes()[13:])  # without its header
        return whole
    transport = folder / "joined.ts"
    for n, part in enumerate(parts):
        ffmpeg("-i", part, "-c", "copy", folder / f"{n}.ts")
    (folder / "list").write_text("file 0.ts\nfile 1.ts\n")
    ffmpeg("-f", "concat", "-i", folder / "list", "-c", "copy", transport)
    return transport if kind == "ts" else remuxed(transport, folder / "joined.flv")


@pytest.mark.parametrize("suffix", ["mp4", "flv", "ts", "mkv"])
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_every_keyframe_can_be_decoded_from(tmp_path: Path, codec: str, suffix: str) -> None:
    source = clip(tmp_path / "clip.mp4", codec, SIZES[0])
    if suffix != "mp4":
        source = remuxed(source, tmp_path / f"clip.{suffix}")
    pictures = pictures_of(source)
    keys = [at for at, picture in enumerate(pictures) if picture.key]
    assert len(pictures) == 25 and len(keys) == 3
    assert len({picture.format for picture in pictures}) == 1
    for at in keys:
        data = pictures[at].data
        types = [unit_type(codec, unit) for unit in split_units(data)]
        assert tuple(types[: len(CODECS[codec].sets)]) == CODECS[codec].sets
        assert data.startswith(pictures[at].format.extradata)
        assert decoded_sizes([pictures[at]]) == [SIZES[0]]
    assert decoded_sizes(pictures) == [SIZES[0]] * 25


@pytest.mark.parametrize("kind", ["beside", "inside", "ts"])
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_coding_may_change_midway(tmp_path: Path, codec: str, kind: str) -> None:
    path = joined(tmp_path, codec, kind)
    # What a publisher sends is probed before its end: the change comes unannounced.
    source = MediaSource(str(path), options={"probesize": "20000", "fpsprobesize": "0"})
    pictures = [item for item in SoundAndPicture(source) if isinstance(item, PicturePacket)]
    source.close()
    assert decoded_sizes(pictures) == [SIZES[0]] * 25 + [SIZES[1]] * 25
    changes = [
        at
        for at, (one, other) in enumerate(zip(pictures, pictures[1:], strict=False), 1)
        if one.format != other.format
    ]
    assert changes == [25] and pictures[25].key
    assert [(p.format.width, p.format.height) for p in pictures] == [
        size for size in SIZES for _ in range(25)
    ]
    second = pictures[25:]
    assert decoded_sizes(second) == [SIZES[1]] * 25


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_the_same_pictures_are_decoded(tmp_path: Path, codec: str) -> None:
    extra = ("-c:v", codec, "-x265-params", "log-level=0") if codec == "libx265" else ()
    source = small_source(tmp_path / "in.mp4", length=1, extra=extra)
    plain = tmp_path / ("out.h264" if codec == "libx264" else "out.h265")
    plain.write_bytes(b"".join(one.data for one in pictures_of(source)))
    hashes = [
        ffmpeg("-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "md5", "-").stdout
        for path in (source, plain)
    ]
    assert hashes[0] == hashes[1]


def test_other_codecs_pass_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1",
        "-c:v", "libvpx", "-c:a", "libopus", path,
    )  # fmt: skip
    with av.open(str(path)) as container:
        sent = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    pictures = pictures_of(path)
    assert [picture.data for picture in pictures] == sent
    assert pictures[0].key and pictures[0].format.codec == "vp8"
