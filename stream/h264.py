"""H.264 bytes: parameter sets, and between the two ways of delimiting NAL units.

FLV and MP4 put a length before each unit and the parameter sets beside the stream (AVCC);
RTP and transport streams need start codes and the parameter sets in the stream (Annex B).
"""

from __future__ import annotations

from collections.abc import Iterator

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
            self._length_size, self._sets = _parse_configuration(extradata)
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


def _parse_configuration(extradata: bytes) -> tuple[int, list[bytes]]:
    """Size of the length fields, and the parameter sets, of an AVCC configuration record."""
    try:
        length_size = (extradata[4] & 3) + 1
        sets: list[bytes] = []
        at = 5
        for mask in (0x1F, 0xFF):  # sequence parameter sets, then picture parameter sets
            count = extradata[at] & mask
            at += 1
            for _ in range(count):
                length = int.from_bytes(extradata[at : at + 2], "big")
                unit = extradata[at + 2 : at + 2 + length]
                at += 2 + length
                if not unit or at > len(extradata):
                    raise ValueError("cut off")
                sets.append(unit)
    except (IndexError, ValueError) as error:
        raise ValueError("the H.264 configuration record is malformed") from error
    return length_size, sets
