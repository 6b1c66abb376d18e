"""AMF0, the value encoding of RTMP's commands: numbers, strings, objects and lists, bounded."""

from __future__ import annotations

import struct
from collections.abc import Sequence

Value = float | bool | str | dict[str, "Value"] | list["Value"] | None
"""What AMF0 can say here; undefined reads as ``None``, a date as its number (ms)."""

MAX_DEPTH = 8
"""Objects and arrays inside each other; RTMP commands need two."""

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _UNDEFINED = 0, 1, 2, 3, 5, 6
_MAP, _OBJECT_END, _ARRAY, _DATE, _LONG_STRING, _UNSUPPORTED = 8, 9, 10, 11, 12, 13
_XML, _TYPED_OBJECT = 15, 16


def decode(data: bytes) -> list[Value]:
    """All values of a message body.

    Raises:
        ValueError: if it is not AMF0, is cut short or nests deeper than ``MAX_DEPTH``.
    """
    reader = _Reader(data)
    values = []
    while reader.left:
        values.append(reader.value())
    return values


def decode_first(data: bytes) -> tuple[Value, bytes]:
    """The first value of a message body, and the bytes after it.

    Raises:
        ValueError: as ``decode`` does.
    """
    reader = _Reader(data)
    value = reader.value()
    return value, reader.take(reader.left)


def encode(values: Sequence[Value]) -> bytes:
    """The body of a message that holds ``values`` one after another."""
    return b"".join(_encoded(value) for value in values)


class _Reader:
    """A position in a message body."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("an AMF0 value is cut short")
        start = self._position
        self._position += count
        return self._data[start : self._position]

    def value(self, depth: int = 0) -> Value:
        if depth > MAX_DEPTH:
            raise ValueError(f"AMF0 objects nest deeper than {MAX_DEPTH}")
        marker = self.take(1)[0]
        if marker == _NUMBER:
            return self._number()
        if marker == _BOOLEAN:
            return self.take(1) != b"\0"
        if marker == _STRING:
            return self._string(2)
        if marker in (_LONG_STRING, _XML):
            return self._string(4)
        if marker in (_NULL, _UNDEFINED, _UNSUPPORTED):
            return None
        if marker == _ARRAY:
            return self._array(depth)
        if marker == _DATE:
            milliseconds = self._number()
            self.take(2)  # a time zone, always 0
            return milliseconds
        if marker not in (_OBJECT, _MAP, _TYPED_OBJECT):
            raise ValueError(f"an AMF0 value has the unknown type {marker}")
        if marker == _MAP:
            self.take(4)  # a count that encoders get wrong; the end marker rules
        if marker == _TYPED_OBJECT:
            self._string(2)  # its class
        return self._object(depth)

    def _number(self) -> float:
        number: float = struct.unpack(">d", self.take(8))[0]
        return number

    def _string(self, width: int) -> str:
        length = int.from_bytes(self.take(width), "big")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise ValueError("an AMF0 string is not UTF-8") from error

    def _object(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while True:
            name = self._string(2)
            if self._data[self._position : self._position + 1] == bytes([_OBJECT_END]):
                self.take(1)
                return found
            found[name] = self.value(depth + 1)

    def _array(self, depth: int) -> list[Value]:
        count = int.from_bytes(self.take(4), "big")
        if count > self.left:
            raise ValueError("an AMF0 array is longer than its message")
        return [self.value(depth + 1) for _ in range(count)]


def _encoded(value: Value) -> bytes:
    if value is None:
        return bytes([_NULL])
    if isinstance(value, bool):
        return bytes([_BOOLEAN, value])
    if isinstance(value, int | float):
        return bytes([_NUMBER]) + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        if len(text) > 0xFFFF:
            return bytes([_LONG_STRING]) + len(text).to_bytes(4, "big") + text
        return bytes([_STRING]) + len(text).to_bytes(2, "big") + text
    if isinstance(value, list):
        return bytes([_ARRAY]) + len(value).to_bytes(4, "big") + encode(value)
    members = b"".join(
        len(name.encode()).to_bytes(2, "big") + name.encode() + _encoded(member)
        for name, member in value.items()
    )
    return bytes([_OBJECT]) + members + bytes([0, 0, _OBJECT_END])
