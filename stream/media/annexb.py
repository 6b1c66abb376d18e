"""H.264 and HEVC pictures in one form: start codes, and parameter sets in every keyframe.

Sources delimit NAL units by start codes (Annex B) or by length prefixes (AVCC), and carry their
parameter sets in the stream or beside it. Pictures take this one form where they enter, so nothing
behind has to ask. FFmpeg's muxers make of it whatever their container wants.

FFmpeg's `hevc_mp4toannexb` would not do (FFmpeg 8.1): it overlooks a configuration that changes
midway, and puts the first one's sets before those in the stream, which costs decoders pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

START_CODE = b"\x00\x00\x00\x01"

IDR, SPS = 5, 7
"""Types of H.264's NAL units."""


@dataclass(frozen=True, slots=True)
class _Codec:
    """Types of NAL units: parameter sets, in the order of their use, and what shows nothing."""

    sets: tuple[int, ...]
    idle: tuple[int, ...]


CODECS = {"h264": _Codec((7, 8), (9, 12)), "hevc": _Codec((32, 33, 34), (35, 38))}
"""The codecs that have this form, by FFmpeg's name."""


def split_units(data: bytes) -> Iterator[bytes]:
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


def unit_type(codec: str, unit: bytes) -> int:
    """The type of a NAL unit without its start code."""
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


class AnnexB:
    """Brings the pictures of one stream into Annex B form.

    Args:
        codec: one of ``CODECS``.
        configuration: what the container says beside the stream; see `configure`.
    """

    def __init__(self, codec: str, configuration: bytes = b"") -> None:
        self._codec = codec
        self._sets: dict[int, list[bytes]] = {}
        self._prefix = 0
        self.configure(configuration)

    @property
    def sets(self) -> bytes:
        """The newest parameter sets, with start codes."""
        known = (self._sets.get(kind, []) for kind in CODECS[self._codec].sets)
        return _delimited(unit for units in known for unit in units)

    @property
    def complete(self) -> bool:
        """Whether there is a parameter set of every type, without which nothing can be decoded."""
        return all(kind in self._sets for kind in CODECS[self._codec].sets)

    def configure(self, configuration: bytes) -> None:
        """Take the stream's configuration, also a new one midway, as far as it can be read.

        Args:
            configuration: a record that begins with 1 (avcC or hvcC of ISO/IEC 14496-15) means
                that units follow their lengths; anything else, that start codes delimit them.
        """
        record = configuration[:1] == b"\x01"
        at = 4 if self._codec == "h264" else 21
        self._prefix = (configuration[at] & 3) + 1 if record and len(configuration) > at else 0
        self._remember(
            _stored(self._codec, configuration) if record else split_units(configuration)
        )

    def convert(self, data: bytes, *, key: bool) -> bytes:
        """One picture with start codes; a keyframe begins with all parameter sets.

        Delimiters and filler are left out, and so is a unit that is cut short.

        Returns:
            Nothing if that leaves nothing.
        """
        units = list(_prefixed(data, self._prefix) if self._prefix else split_units(data))
        self._remember(units)
        codec = CODECS[self._codec]
        left_out = codec.idle + codec.sets if key else codec.idle
        kept = [unit for unit in units if unit_type(self._codec, unit) not in left_out]
        return (self.sets if key and kept else b"") + _delimited(kept)

    def _remember(self, units: Iterator[bytes] | list[bytes]) -> None:
        """Newer parameter sets replace those of their type."""
        found: dict[int, list[bytes]] = {}
        for unit in units:
            kind = unit_type(self._codec, unit)
            if kind in CODECS[self._codec].sets:
                found.setdefault(kind, []).append(unit)
        self._sets |= found


def _delimited(units: Iterator[bytes] | list[bytes]) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


def _prefixed(data: bytes, size: int) -> Iterator[bytes]:
    """The NAL units behind lengths of ``size`` bytes; never an empty one."""
    at = 0
    while at < len(data):
        begin = at + size
        at = begin + int.from_bytes(data[at:begin], "big")
        if begin < at <= len(data):
            yield data[begin:at]


def _stored(codec: str, record: bytes) -> Iterator[bytes]:
    """The NAL units of an avcC or hvcC record, as far as there are."""
    if codec == "h264":
        at, arrays, head, mask = 5, 2, 1, 0x1F  # sequence, then picture parameter sets
    else:
        at, arrays, head, mask = 23, record[22] if len(record) > 22 else 0, 3, 0xFF
    for _ in range(arrays):
        # hvcC says the type before a count of two bytes, of which the second suffices.
        count = int.from_bytes(record[at + head - 1 : at + head], "big") & mask
        at, mask = at + head, 0xFF
        for _ in range(count):
            length = int.from_bytes(record[at : at + 2], "big")
            unit = record[at + 2 : at + 2 + length]
            at += 2 + length
            if unit and at <= len(record):
                yield unit
