"""One form of H.264 and HEVC, whatever form they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.media.annexb import CODECS, START_CODE, AnnexB, split_units, unit_type

SPS, PPS, IDR, SLICE, AUD, FILLER = (
    b"\x67\x42\x00\x1e",
    b"\x68\xce",
    b"\x65\x88\x84",
    b"\x41\x9a",
    b"\x09\xf0",
    b"\x0c\xff\x80",
)
AVCC = b"\x01\x42\x00\x1e\xff\xe1\x00\x04" + SPS + b"\x01\x00\x02" + PPS
HEVC_SETS = (b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1")
HVCC = (
    b"\x01"
    + bytes(20)
    + b"\xff\x03"
    + b"".join(
        bytes([0xA0 | unit[0] >> 1, 0, 1, 0, len(unit)]) + unit  # complete, type, count, length
        for unit in HEVC_SETS
    )
)

# A NAL unit: no start code inside (the coding sees to that), and no zero at its end.
UNITS = st.builds(
    lambda head, body: bytes([head]) + body.replace(b"\x00", b"\x03") + b"\x80",
    st.sampled_from([0x65, 0x41, 0x06]),
    st.binary(max_size=40),
)


def prefixed(*units: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)


def delimited(*units: bytes) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


@pytest.mark.parametrize("configuration", [AVCC, delimited(SPS, PPS)], ids=["avcC", "annexb"])
def test_a_keyframe_begins_with_the_parameter_sets(configuration: bytes) -> None:
    make = prefixed if configuration is AVCC else delimited
    convert = AnnexB("h264", configuration).convert
    assert convert(make(IDR), key=True) == delimited(SPS, PPS, IDR)
    assert convert(make(SPS, PPS, IDR), key=True) == delimited(SPS, PPS, IDR)
    assert convert(make(PPS, IDR), key=True) == delimited(SPS, PPS, IDR)
    assert convert(make(SLICE), key=False) == delimited(SLICE)


def test_what_shows_nothing_is_left_out() -> None:
    convert = AnnexB("h264", AVCC).convert
    assert convert(prefixed(AUD, IDR, FILLER), key=True) == delimited(SPS, PPS, IDR)
    assert convert(prefixed(AUD, FILLER), key=True) == b""
    assert convert(b"", key=False) == b""


def test_newer_sets_replace_those_of_their_type() -> None:
    annexb = AnnexB("h264", AVCC)
    newer = SPS + b"\x01"
    assert annexb.convert(prefixed(newer, IDR), key=True) == delimited(newer, PPS, IDR)
    assert annexb.sets == delimited(newer, PPS)
    assert annexb.convert(prefixed(IDR), key=True) == delimited(newer, PPS, IDR)
    # Sets that come before their keyframe stay where they are, too.
    newest = SPS + b"\x02"
    assert annexb.convert(prefixed(newest, SLICE), key=False) == delimited(newest, SLICE)
    assert annexb.convert(prefixed(IDR), key=True) == delimited(newest, PPS, IDR)


def test_a_new_configuration_replaces_the_old_one() -> None:
    annexb = AnnexB("h264", AVCC)
    shorter = AVCC[:4] + b"\xfd" + AVCC[5:].replace(PPS, b"\x68\xcf")
    annexb.configure(shorter)
    two = prefixed(IDR, size=2)
    assert annexb.convert(two, key=True) == delimited(SPS, b"\x68\xcf", IDR)


def test_without_parameter_sets_nothing_can_be_decoded() -> None:
    annexb = AnnexB("h264")
    assert not annexb.complete
    assert annexb.convert(delimited(IDR), key=True) == delimited(IDR)
    annexb.convert(delimited(SPS, IDR), key=True)
    assert not annexb.complete
    annexb.convert(delimited(PPS, IDR), key=True)
    assert annexb.complete


def test_hevc_has_a_set_more() -> None:
    annexb = AnnexB("hevc", HVCC)
    assert annexb.complete
    assert annexb.sets == delimited(*HEVC_SETS)
    delimiter, picture = b"\x46\x01\x50", b"\x26\x01\xaf"
    converted = annexb.convert(prefixed(delimiter, picture), key=True)
    assert converted == delimited(*HEVC_SETS, picture)
    assert [unit_type("hevc", unit) for unit in split_units(converted)] == [32, 33, 34, 19]


@given(st.lists(UNITS, max_size=5), st.lists(st.sampled_from([b"\0\0\1", b"\0\0\0\1"])))
def test_start_codes_of_either_length_delimit(parts: list[bytes], codes: list[bytes]) -> None:
    codes = [*codes, *[b"\0\0\0\1"] * len(parts)]
    data = b"".join(code + part for code, part in zip(codes, parts, strict=False))
    assert list(split_units(data)) == parts


@given(st.lists(UNITS, min_size=1, max_size=5), st.sampled_from([1, 2, 4]))
def test_lengths_of_any_size_delimit(parts: list[bytes], size: int) -> None:
    annexb = AnnexB("h264", bytes([1, 66, 0, 31, 0xFC | size - 1, 0xE0, 0]))
    packet = prefixed(*parts, size=size)
    assert annexb.convert(packet, key=False) == delimited(*parts)
    # A unit that is cut short is left out, and those before it stay.
    assert annexb.convert(packet[:-1], key=False) == delimited(*parts[:-1])


@given(
    st.lists(st.binary(max_size=60), max_size=3),
    st.lists(st.tuples(st.binary(max_size=60), st.booleans()), max_size=4),
    st.sampled_from(sorted(CODECS)),
    st.booleans(),
)
def test_any_bytes_are_survived(
    configurations: list[bytes], packets: list[tuple[bytes, bool]], codec: str, record: bool
) -> None:
    annexb = AnnexB(codec)
    for configuration in configurations:
        annexb.configure(b"\x01" * record + configuration)
    for data, key in packets:
        converted = annexb.convert(data, key=key)
        assert converted[:4] in (b"", START_CODE)
        assert len(converted) <= 4 * len(data) + len(annexb.sets)
