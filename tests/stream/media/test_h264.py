"""Between AVCC and Annex B."""

import shutil
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.h264 import PPS, SPS, AnnexB, split_annexb, split_avcc, unit_type
from tests.helpers.rtc import flashes

# A NAL unit: no start code inside (the coding sees to that), and no zero at its end.
units = st.builds(
    lambda head, body: bytes([head]) + body.replace(b"\x00", b"\x03") + b"\x80",
    st.sampled_from([0x65, 0x41, 0x06]),
    st.binary(max_size=40),
)


@given(st.lists(units, min_size=1, max_size=5), st.sampled_from([1, 2, 4]))
def test_avcc_becomes_annexb(parts: list[bytes], size: int) -> None:
    packet = b"".join(len(p).to_bytes(size, "big") + p for p in parts)
    assert list(split_avcc(packet, size)) == parts
    record = bytes([1, 66, 0, 31, 0xFC | size - 1, 0xE0, 0])
    converted = AnnexB(record).convert(packet, key=False)
    assert list(split_annexb(converted)) == parts


@given(st.lists(units, max_size=5), st.lists(st.sampled_from([b"\0\0\1", b"\0\0\0\1"])))
def test_start_codes_of_either_length_delimit(parts: list[bytes], codes: list[bytes]) -> None:
    codes = [*codes, *[b"\0\0\0\1"] * len(parts)]
    data = b"".join(code + part for code, part in zip(codes, parts, strict=False))
    assert list(split_annexb(data)) == parts


@given(st.binary(max_size=60), st.binary(max_size=60), st.booleans())
def test_any_bytes_are_pictures_or_an_error(extradata: bytes, data: bytes, avcc: bool) -> None:
    try:
        out = AnnexB(b"\x01" * avcc + extradata).convert(data, key=True)
    except ValueError as error:
        assert "H.264" in str(error)
    else:
        assert out.startswith(b"\0\0\0\1")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.flv"])
def test_every_key_picture_can_be_decoded_from(tmp_path: Path, name: str) -> None:
    path = flashes(tmp_path / "a.mkv", length=2.5)
    with av.open(str(path)) as source, av.open(str(tmp_path / name), "w") as out:
        picture = source.streams.video[0]
        copy = out.add_stream_from_template(picture)
        for packet in source.demux(picture):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        converter = AnnexB(stream.codec_context.extradata or b"")
        packets = [(p.is_keyframe, bytes(p)) for p in container.demux(stream) if p.size]
    keys = 0
    for key, data in packets:
        annexb = converter.convert(data, key=key)
        types = [unit_type(unit) for unit in split_annexb(annexb)]
        if key:
            keys += 1
            assert types.index(SPS) < types.index(PPS) < types.index(5)
            decoder = av.CodecContext.create("h264", "r")
            frames = [*decoder.decode(av.Packet(annexb)), *decoder.decode(None)]
            assert (frames[0].width, frames[0].height) == (160, 90)
    assert keys == 3
