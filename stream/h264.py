"""H.264 bytes: parameter sets, and between the two ways of delimiting NAL units.

FLV and MP4 put a length before each unit and the parameter sets beside the stream (AVCC);
RTP and transport streams need start codes and the parameter sets in the stream (Annex B).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

IDR, SPS, PPS, DELIMITER, FILLER = 5, 7, 8, 9, 12
"""NAL unit types."""

_START = b"\x00\x00\x00\x01"


def unit_type(unit: bytes) -> int:
    """The type of a NAL unit without its start code."""
    return unit[0] & 0x1F


def split_annexb(data: bytes) -> Iterator[bytes]:
    """The NAL units between start codes of three or four bytes; never an empty one."""
    start = data.find(b"\x00\x00\x01")
    while start >= 0:
        start += 3
        end = data.find(b"\x00\x00\x01", start)
        # Zeros before a start code belong to it: a unit never ends in a zero byte.
        unit = data[start : end if end >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            yield unit
        start = end


def split_avcc(data: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units that each follow their length; never an empty one.

    Raises:
        ValueError: if a length reaches beyond the data.
    """
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        if at + length > len(data):
            raise ValueError("an H.264 packet ends inside a NAL unit")
        if length:
            yield data[at : at + length]
        at += length


@dataclass(frozen=True, slots=True)
class Configuration:
    """An AVC decoder configuration record (ISO/IEC 14496-15), as far as it can be read.

    Attributes:
        length_size: bytes of the length before each unit.
        sets: the parameter sets.
        whole: whether the record was well formed.
    """

    length_size: int
    sets: list[bytes]
    whole: bool


def read_configuration(record: bytes) -> Configuration:
    """Read a record, which begins with 1."""
    sets: list[bytes] = []
    at, whole = 5, True
    for mask in (0x1F, 0xFF):  # the first count shares its byte with reserved bits
        whole = whole and at < len(record)
        at = counted_units(record, at + 1, record[at] & mask if at < len(record) else 0, sets)
    whole = whole and at <= len(record) and all(sets)
    return Configuration((record[4] & 3) + 1 if len(record) > 4 else 0, sets, whole)


def counted_units(record: bytes, at: int, count: int, units: list[bytes]) -> int:
    """Append ``count`` units with 16-bit lengths, as far as there are; the position after them."""
    for _ in range(count):
        length = int.from_bytes(record[at : at + 2], "big")
        units.append(record[at + 2 : at + 2 + length])
        at += 2 + length
        if at > len(record):
            break
    return at


class AnnexB:
    """Brings packets of one stream into Annex B form that can be joined at every key picture.

    Args:
        extradata: the stream's configuration; what starts with 1 means AVCC packets, empty or
            Annex B extradata means Annex B packets.

    Raises:
        ValueError: if the configuration is malformed.
    """

    def __init__(self, extradata: bytes) -> None:
        self._length_size = 0
        if extradata[:1] == b"\x01":
            record = read_configuration(extradata)
            if not record.whole:
                raise ValueError("the H.264 configuration record is malformed")
            self._length_size, self._sets = record.length_size, record.sets
        else:
            self._sets = [u for u in split_annexb(extradata) if unit_type(u) in (SPS, PPS)]

    def convert(self, data: bytes, *, key: bool) -> bytes:
        """One packet with start codes; a key picture with parameter sets before it.

        Raises:
            ValueError: if the packet is malformed or holds no picture.
        """
        units = split_avcc(data, self._length_size) if self._length_size else split_annexb(data)
        kept = [unit for unit in units if unit_type(unit) not in (DELIMITER, FILLER)]
        if not kept:
            raise ValueError("an H.264 packet holds no picture")
        own = [unit for unit in kept if unit_type(unit) in (SPS, PPS)]
        if own:
            self._remember(own)
        if key and not any(unit_type(unit) == SPS for unit in own):
            kept = [*self._sets, *(unit for unit in kept if unit_type(unit) != PPS)]
        return b"".join(_START + unit for unit in kept)

    def _remember(self, sets: list[bytes]) -> None:
        """Newer parameter sets replace those of their type."""
        types = {unit_type(unit) for unit in sets}
        # In any order a decoder may need: sequence parameters before picture parameters.
        merged = [u for u in self._sets if unit_type(u) not in types] + sets
        self._sets = sorted(merged, key=unit_type)
