"""What passes between a confined reader and its owner: records of bytes and integers.

A record is its kind, its length and its body. The owner believes nothing that it reads here:
whoever has taken over a reader may write what he likes.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from enum import Enum
from typing import Any

import numpy as np

from stream.errors import LivedubError
from stream.frames import AudioChunk, PictureFormat, PicturePacket

_HEAD = struct.Struct(">cI")
_FORMAT = struct.Struct(">II?B")
_PICTURE = struct.Struct(">qq?")
_TIME = struct.Struct(">q")

LONGEST = 64 << 20
"""Bytes of a record: no picture is larger."""

LONGEST_CHUNK = 4 << 20
"""Bytes of a chunk of sound."""

_FAR = 1 << 52
"""Ticks beyond which no media time lies: 3000 years."""


class Kind(Enum):
    """What a record is."""

    OPENED = b"O"
    FORMAT = b"F"
    PICTURE = b"P"
    SOUND = b"A"
    ERROR = b"E"
    END = b"."
    CALL = b"C"
    ANSWER = b"R"


class BrokenOffError(LivedubError):
    """The other side has gone, or talks nonsense."""


class Wire:
    """Records over a socket; blocks.

    Args:
        end: this side's, closed by ``close``.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._reader = end.makefile("rb", buffering=1 << 16)

    def close(self) -> None:
        """Close the socket."""
        self._reader.close()
        self._end.close()

    def send(self, kind: Kind, *parts: bytes | memoryview) -> None:
        """Send one record.

        Raises:
            OSError: if the other side has gone.
        """
        length = sum(len(part) for part in parts)
        self._end.sendall(b"".join((_HEAD.pack(kind.value, length), *parts)))

    def receive(self) -> tuple[Kind, bytes]:
        """The next record.

        Raises:
            BrokenOffError: if there is none, or none of a known kind and length.
        """
        kind, length = _HEAD.unpack(self._exactly(_HEAD.size))
        if length > LONGEST:
            raise BrokenOffError("it sends too much")
        try:
            return Kind(kind), self._exactly(length)
        except ValueError:
            raise BrokenOffError("it sends nonsense") from None

    def _exactly(self, count: int) -> bytes:
        data: bytes = b""
        with contextlib.suppress(OSError):
            data = self._reader.read(count)
        if len(data) < count:
            raise BrokenOffError("it is gone")
        return data


def pack_json(value: object) -> bytes:
    """Small things, such as addresses and options."""
    return json.dumps(value).encode()


def unpack_json(data: bytes) -> Any:
    """Likewise.

    Raises:
        BrokenOffError: if it is none.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BrokenOffError("it sends nonsense") from None


def pack_format(of: PictureFormat) -> bytes:
    """How pictures are coded from now on."""
    name = of.codec.encode()
    head = _FORMAT.pack(of.width, of.height, of.reordered, len(name))
    return head + name + of.extradata


def pack_picture(of: PicturePacket) -> tuple[bytes, bytes]:
    """A picture without its format."""
    return _PICTURE.pack(of.time, of.shown, of.key), of.data


def pack_sound(of: AudioChunk) -> tuple[bytes, bytes]:
    """A chunk."""
    return _TIME.pack(of.start), np.ascontiguousarray(of.samples, "<f4").tobytes()


def unpack_format(data: bytes) -> PictureFormat:
    """See `pack_format`.

    Raises:
        BrokenOffError: if it is none.
    """
    if len(data) < _FORMAT.size:
        raise BrokenOffError("it sends nonsense")
    width, height, reordered, length = _FORMAT.unpack_from(data)
    name = data[_FORMAT.size : _FORMAT.size + length]
    if not name.replace(b"_", b"").isalnum():
        raise BrokenOffError("it sends nonsense")
    extradata = data[_FORMAT.size + length :]
    return PictureFormat(name.decode(), extradata, width, height, reordered=reordered)


def unpack_picture(data: bytes, format_: PictureFormat) -> PicturePacket:
    """See `pack_picture`.

    Raises:
        BrokenOffError: if it is none.
    """
    if len(data) <= _PICTURE.size:
        raise BrokenOffError("it sends nonsense")
    time, shown, key = _PICTURE.unpack_from(data)
    if abs(time) > _FAR or abs(shown) > _FAR:
        raise BrokenOffError("it sends nonsense")
    return PicturePacket(format_, time, shown, key, data[_PICTURE.size :])


def unpack_sound(data: bytes, channels: int, due: int) -> AudioChunk:
    """See `pack_sound`.

    Args:
        data: of the record.
        channels: that it must have.
        due: when it must begin, ticks: sound has no gaps.

    Raises:
        BrokenOffError: if it is none.
    """
    frame = 4 * channels
    if not _TIME.size < len(data) <= LONGEST_CHUNK or (len(data) - _TIME.size) % frame:
        raise BrokenOffError("it sends nonsense")
    (start,) = _TIME.unpack_from(data)
    if start != due or start > _FAR:
        raise BrokenOffError("it sends nonsense")
    samples = np.frombuffer(data, "<f4", offset=_TIME.size).reshape(-1, channels)
    return AudioChunk(start, np.nan_to_num(samples).astype(np.float32, copy=False))
