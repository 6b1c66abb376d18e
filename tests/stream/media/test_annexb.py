import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import PictureFormat, PicturePacket
from stream.media.annexb import START_CODE, annex_b, parameter_sets
from tests.helpers.streams import ffmpeg, pictures_of, small_source

SPS, PPS, IDR, SLICE, AUD = (
    b"\x67\x42\x00\x1e",
    b"\x68\xce",
    b"\x65\x88\x84",
    b"\x41\x9a",
    b"\x09\xf0",
)
AVCC = b"\x01\x42\x00\x1e\xff\xe1\x00\x04" + SPS + b"\x01\x00\x02" + PPS
PLAIN = b"".join(START_CODE + unit for unit in (SPS, PPS))


def packet(data: bytes, extradata: bytes, *, key: bool, codec: str = "h264") -> PicturePacket:
    return PicturePacket(PictureFormat(codec, extradata, 16, 16), 0, 0, key, data)


def prefixed(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def delimited(*units: bytes) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


@pytest.mark.parametrize("extradata", [AVCC, PLAIN])
def test_a_key_picture_carries_its_parameter_sets(extradata: bytes) -> None:
    make = prefixed if extradata is AVCC else delimited
    made = annex_b(packet(make(IDR), extradata, key=True))
    assert made == delimited(SPS, PPS, IDR)
    assert annex_b(packet(make(AUD, IDR), extradata, key=True)) == delimited(AUD, SPS, PPS, IDR)
    again = make(SPS, PPS, IDR)
    assert annex_b(packet(again, extradata, key=True)) == delimited(SPS, PPS, IDR)
    assert annex_b(packet(make(SLICE), extradata, key=False)) == delimited(SLICE)
    assert annex_b(packet(make(SLICE), extradata, key=False), configured=True) == delimited(
        SPS, PPS, SLICE
    )
    assert parameter_sets(packet(make(IDR), extradata, key=True)) == (SPS, PPS)


def test_sets_in_the_picture_count_before_stored_ones() -> None:
    newer = SPS + b"\x01"
    found = parameter_sets(packet(prefixed(newer, PPS, IDR), AVCC, key=True))
    assert found == (newer, PPS)
    assert parameter_sets(packet(delimited(IDR), b"", key=True)) == ()


def test_other_codecs_pass() -> None:
    assert annex_b(packet(b"\x12\x00", b"\x81", key=True, codec="av1")) == b"\x12\x00"
    assert parameter_sets(packet(b"\x12\x00", b"\x81", key=True, codec="av1")) == ()


@given(
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.booleans(),
    st.sampled_from(["h264", "hevc"]),
)
def test_no_bytes_break_it(data: bytes, extradata: bytes, key: bool, codec: str) -> None:
    one = packet(data, extradata, key=key, codec=codec)
    assert len(annex_b(one)) <= 4 * (len(data) + 2 * len(extradata)) + 1100
    parameter_sets(one)


@given(st.lists(st.binary(min_size=1, max_size=40).filter(lambda u: u[-1] != 0), min_size=1))
def test_units_survive(units: list[bytes]) -> None:
    assert annex_b(packet(prefixed(*units), AVCC, key=False)) == delimited(*units)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_ffmpeg_decodes_the_same_pictures(tmp_path: Path, codec: str) -> None:
    extra = ("-c:v", codec, "-x265-params", "log-level=0") if codec == "libx265" else ()
    source = small_source(tmp_path / "in.mp4", length=1, extra=extra)
    plain = tmp_path / ("out.h264" if codec == "libx264" else "out.h265")
    plain.write_bytes(b"".join(annex_b(one) for one in pictures_of(source)))
    hashes = [
        ffmpeg("-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "md5", "-").stdout
        for path in (source, plain)
    ]
    assert hashes[0] == hashes[1]
