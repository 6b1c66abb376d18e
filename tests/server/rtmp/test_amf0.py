import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtmp.amf0 import MAX_DEPTH, decode, decode_first, encode

plain = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)


def nested(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(nested, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(nested, value.values()), default=0)
    return 0


@given(st.lists(values, max_size=4).filter(lambda v: nested(v) <= MAX_DEPTH))
def test_what_was_encoded_is_decoded(sent: list) -> None:  # type: ignore[type-arg]
    assert decode(encode(sent)) == sent


@given(st.binary(max_size=300))
def test_any_bytes_are_values_or_a_value_error(data: bytes) -> None:
    try:
        decode(data)
    except ValueError as error:
        assert "AMF0" in str(error)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x00" + struct.pack(">d", 1.5), 1.5),
        (b"\x01\x01", True),
        (b"\x02\x00\x02hi", "hi"),
        (b"\x03\x00\x01a\x05\x00\x00\x09", {"a": None}),
        (b"\x05", None),
        (b"\x06", None),
        (b"\x08\x00\x00\x00\x63\x00\x01a\x01\x00\x00\x00\x09", {"a": False}),
        (b"\x0a\x00\x00\x00\x02\x05\x06", [None, None]),
        (b"\x0b" + struct.pack(">d", 86400000.0) + b"\x00\x00", 86400000.0),
        (b"\x0c\x00\x00\x00\x02hi", "hi"),
        (b"\x0d", None),
        (b"\x0f\x00\x00\x00\x04<a/>", "<a/>"),
        (b"\x10\x00\x01T\x00\x01a\x05\x00\x00\x09", {"a": None}),
    ],
)
def test_every_type_is_read(data: bytes, value: object) -> None:
    assert decode(data) == [value]
    assert decode_first(data + b"rest") == (value, b"rest")


def test_a_long_string_has_a_long_length() -> None:
    assert encode(["x" * 70000])[0] == 12
    assert decode(encode(["x" * 70000])) == ["x" * 70000]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x00", "cut short"),
        (b"\x02\xff\xffabc", "cut short"),
        (b"\x03\x00\x01a\x05", "cut short"),
        (b"\x0a\xff\xff\xff\xff\x05", "longer than its message"),
        (b"\x02\x00\x01\xff", "UTF-8"),
        (b"\x07\x00\x00", "unknown type 7"),
        (b"\x11", "unknown type 17"),
        (b"\x0a\x00\x00\x00\x01" * 20 + b"\x05", "deeper"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(data)
