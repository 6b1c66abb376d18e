"""H.264 and HEVC packets in Annex B form, each decodable start with its parameter sets.

Sources hold pictures either with start codes or with length prefixes and their parameter sets
apart. FFmpeg's muxers make of Annex B whatever their container wants, and find the parameter
sets in it, so one form serves them all.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream.frames import PictureFormat, PicturePacket
from stream.h264 import counted_units, read_configuration, split_annexb

START_CODE = b"\x00\x00\x00\x01"


def annex_b(packet: PicturePacket, *, configured: bool | None = None) -> bytes:
    """The packet's bytes with start codes.

    Args:
        packet: of any codec; other codecs than H.264 and HEVC are returned as they are.
        configured: whether parameter sets must be inside; by default in key pictures.
    """
    codec = packet.format.codec
    if codec not in _SETS:
        return packet.data
    units = list(_units(packet))
    if configured if configured is not None else packet.key:
        kinds = [_kind(codec, unit) for unit in units]
        if not _SETS[codec] & set(kinds):
            # A delimiter, where there is one, must stay the first unit of its picture.
            at = 1 if kinds[:1] == [_DELIMITER[codec]] else 0
            units[at:at] = _stored_sets(packet.format)
        elif _prefix(packet.format) == 0:
            return packet.data
    elif _prefix(packet.format) == 0:
        return packet.data
    return b"".join(START_CODE + unit for unit in units)


def parameter_sets(packet: PicturePacket) -> tuple[bytes, ...]:
    """The parameter sets that apply from this key picture on; empty for other codecs."""
    codec = packet.format.codec
    if codec not in _SETS:
        return ()
    inside = tuple(unit for unit in _units(packet) if _kind(codec, unit) in _SETS[codec])
    return inside or tuple(_stored_sets(packet.format))


_SETS = {"h264": {7, 8}, "hevc": {32, 33, 34}}
_DELIMITER = {"h264": 9, "hevc": 35}


def _kind(codec: str, unit: bytes) -> int:
    if not unit:
        return -1
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def _prefix(coded: PictureFormat) -> int:
    """Bytes in a unit's length prefix; 0 where there are start codes instead."""
    stored = coded.extradata
    at = 4 if coded.codec == "h264" else 21
    return (stored[at] & 3) + 1 if stored[:1] == b"\x01" and len(stored) > at else 0


def _units(packet: PicturePacket) -> Iterator[bytes]:
    size = _prefix(packet.format)
    return _prefixed(packet.data, size) if size else split_annexb(packet.data)


def _prefixed(data: bytes, size: int) -> Iterator[bytes]:
    at = 0
    while at + size < len(data):
        length = int.from_bytes(data[at : at + size], "big")
        yield data[at + size : at + size + length]
        at += size + length


def _stored_sets(coded: PictureFormat) -> list[bytes]:
    stored = coded.extradata
    if stored[:1] != b"\x01":
        return list(split_annexb(stored))
    sets: list[bytes] = []
    if coded.codec == "h264":
        sets = read_configuration(stored).sets
    else:
        at = 23
        for _ in range(stored[22] if len(stored) > 22 else 0):
            count = int.from_bytes(stored[at + 1 : at + 3], "big")
            at = counted_units(stored, at + 3, count, sets)
    return [unit for unit in sets if _kind(coded.codec, unit) in _SETS[coded.codec]]
