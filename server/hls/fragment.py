"""Fragments of fragmented MP4, for HLS: made one at a time, cut exactly where asked.

Every fragment is written by a muxer of its own into memory. FFmpeg's muxer gives the boxes; the
base time is put in afterwards, since a muxer counts from its own first packet. One muxer for all
fragments would need `frag_custom`, whose flush PyAV cannot ask for. The `cmaf` flag is not set: it
makes composition offsets negative, and FFmpeg's own reader then shows pictures too late.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stream.frames import PicturePacket
from stream.media.aac import AacPacket
from stream.media.muxer import Muxer, SoundTrack

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_OPTIONS = {
    "movflags": "empty_moov+default_base_moof+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a player needs: ``init`` once (equal while the coding stays), ``media`` in turn."""

    init: bytes
    media: bytes


def picture_fragment(pictures: Sequence[PicturePacket], end: int, sequence: int) -> Fragment:
    """Pictures in decoding order, the last of which is the newest until ``end``.

    Args:
        pictures: at least one, all of one format. The first need not be a keyframe.
        end: decoding time of the picture that comes next, ticks.
        sequence: number of the fragment, counted from 1.

    Raises:
        MuxerError: if MP4 cannot hold the codec, or a picture is not what its format says.
    """
    memory = _Memory()
    muxer = Muxer(memory, "mp4", pictures[0].format, [], options=_options(sequence))
    ends = [*(picture.time for picture in pictures[1:]), end]
    for picture, until in zip(pictures, ends, strict=True):
        muxer.write_picture(picture, until - picture.time)
    muxer.close()
    return _split(bytes(memory.content), max(0, pictures[0].time))


def sound_fragment(packets: Sequence[AacPacket], channels: int, sequence: int) -> Fragment:
    """AAC packets that follow each other, at least one."""
    memory = _Memory()
    muxer = Muxer(memory, "mp4", None, [SoundTrack(channels)], options=_options(sequence))
    for packet in packets:
        muxer.write_sound(0, packet)
    muxer.close()
    return _split(bytes(memory.content), packets[0].time)


def codec_name(init: bytes) -> str:
    """The codec as RFC 6381 writes it, from a picture's init segment; empty if unknown."""
    for kind, start, _ in _boxes(init, 0, len(init)):
        if kind == b"stsd":
            entry = init[start + 8 + 8 :]  # past version, flags, count, the entry's size and name
            if (at := entry.find(b"avcC")) >= 0:
                return "avc1." + entry[at + 5 : at + 8].hex()
            if (at := entry.find(b"hvcC")) >= 0:
                return _hevc_name(entry[at + 4 :])
            if (at := entry.find(b"av1C")) >= 0:
                return _av1_name(entry[at + 4 :])
    return ""


class _Memory(io.RawIOBase):
    """A file to write in memory, from first byte to last."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.content += piece
        return len(piece)


def _options(sequence: int) -> dict[str, str]:
    return {**_OPTIONS, "fragment_index": str(sequence)}


def _split(content: bytes, time: int) -> Fragment:
    boxes = list(_boxes(content, 0, len(content)))
    cut = next(start - 8 for kind, start, _ in boxes if kind == b"moof")
    stamped = bytearray(content)
    # FFmpeg counts from the first sample, in one fragment for each keyframe. Version 1 of the
    # box, which it writes, has 64 bits of time after version and flags.
    stamps = [start + 4 for kind, start, _ in boxes if kind == b"tfdt"]
    first = struct.unpack_from(">Q", content, stamps[0])[0]
    for stamp in stamps:
        begins = struct.unpack_from(">Q", content, stamp)[0] - first + time
        struct.pack_into(">Q", stamped, stamp, begins)
    return Fragment(content[:cut].replace(b"hev1", b"hvc1"), bytes(stamped[cut:]))


def _boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of what is in every box, containers first."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, at)
        if size < 8:
            return
        yield kind, at + 8, at + size
        if kind in _CONTAINERS:
            yield from _boxes(content, at + 8, at + size)
        at += size


def _hevc_name(config: bytes) -> str:
    space = ("", "A", "B", "C")[config[1] >> 6]
    flags = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    constraints = ".".join(f"{byte:X}" for byte in config[6:12].rstrip(b"\x00"))
    tier = "H" if config[1] & 0x20 else "L"
    name = f"hvc1.{space}{config[1] & 0x1F}.{flags:X}.{tier}{config[12]}"
    return f"{name}.{constraints}" if constraints else name


def _av1_name(config: bytes) -> str:
    tier = "H" if config[2] & 0x80 else "M"
    depth = (12 if config[2] & 0x20 else 10) if config[2] & 0x40 else 8
    return f"av01.{config[1] >> 5}.{config[1] & 0x1F:02}{tier}.{depth:02}"
