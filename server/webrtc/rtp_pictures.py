"""H.264 and VP8 pictures assembled from RTP packets, without decoding them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aiortc.codecs import depayload
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from server.webrtc.rtp_order import Lost
from stream.media.annexb import IDR, SPS, split_units, unit_type

MAX_PICTURE = 8 << 20
"""Bytes of the largest coded picture that is assembled."""

_SEVERAL, _FRAGMENT = 24, 28
"""The H.264 payload types that carry several NAL units, and a piece of one."""


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """A picture as it was sent.

    Attributes:
        codec: FFmpeg's name, ``h264`` (in Annex B form) or ``vp8``.
        timestamp: RTP timestamp, 32 bits.
        key: whether decoding can begin here.
        data: the picture's bytes.
    """

    codec: str
    timestamp: int
    key: bool
    data: bytes


class PictureAssembler:
    """Assembles packets into pictures; after a loss, nothing until a keyframe."""

    def __init__(self) -> None:
        self.waiting = True
        """Whether a keyframe is needed before any picture can be released."""
        self._parts: list[bytes] = []
        self._size = 0
        self._timestamp: int | None = None
        self._whole = False

    def lost(self, gap: Lost) -> None:
        """Note that packets are missing here."""
        self.waiting = True
        self._drop()

    def add(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> CodedPicture | None:
        """Take the next packet; returns the picture that it completes, if it can be decoded."""
        if not packet.payload:
            return None  # padding that probes the network
        if packet.timestamp != self._timestamp:
            # A picture whose end has no marker is not trusted.
            self.waiting = self.waiting or bool(self._parts)
            self._drop()
            self._timestamp = packet.timestamp
            self._whole = _begins(packet.payload, codec.name)
        try:
            part = depayload(codec, packet.payload)
        except (ValueError, IndexError):
            self.waiting = True
            self._drop()
            return None
        self._size += len(part)
        if self._whole and self._size <= MAX_PICTURE:
            self._parts.append(part)
        else:
            self._parts.clear()
            self._whole = False
        if not packet.marker:
            return None
        picture = self._finish(packet.timestamp, codec.name)
        self._drop()
        return picture

    def _finish(self, timestamp: int, codec: str) -> CodedPicture | None:
        data = b"".join(self._parts)
        if not self._whole or not data:
            self.waiting = True
            return None
        key = is_key(codec, data)
        self.waiting = self.waiting and not key
        if self.waiting:
            return None
        return CodedPicture(codec.lower(), timestamp, key, data)

    def _drop(self) -> None:
        self._parts.clear()
        self._size = 0
        self._whole = False


def is_key(codec: str, data: bytes) -> bool:
    """Whether decoding can begin at a picture, which for H.264 needs its parameter sets too."""
    if codec.upper() == "VP8":
        return not data[0] & 1
    types = {unit_type("h264", unit) for unit in split_units(data)}
    return IDR in types and SPS in types


def begins_key(codec: str, payload: bytes) -> bool:
    """Whether a packet can be the first of a keyframe."""
    if codec.upper() == "VP8":
        try:
            _, data = VpxPayloadDescriptor.parse(payload)
        except ValueError:
            return False
        return _begins(payload, codec) and bool(data) and not data[0] & 1
    kind, rest = (payload[0] & 0x1F, payload[1:]) if payload else (0, b"")
    if kind == _FRAGMENT:
        return bool(rest and rest[0] & 0x80) and rest[0] & 0x1F in (IDR, SPS)
    if kind == _SEVERAL:
        return any(kind in (IDR, SPS) for kind in _several(rest))
    return kind in (IDR, SPS)


def _several(units: bytes) -> Iterator[int]:
    """Types of the NAL units in one packet."""
    at = 0
    while at + 2 < len(units):
        yield units[at + 2] & 0x1F
        at += 2 + int.from_bytes(units[at : at + 2], "big")


def vp8_size(data: bytes) -> tuple[int, int]:
    """Width and height that a VP8 keyframe says it has, pixels."""
    sizes = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return sizes[0] & 0x3FFF, sizes[1] & 0x3FFF  # the upper two bits ask for scaling


def _begins(payload: bytes, codec: str) -> bool:
    """Whether a packet can be the first of a picture."""
    if codec.upper() == "VP8":
        try:
            descriptor, _ = VpxPayloadDescriptor.parse(payload)
        except ValueError:
            return False
        return bool(descriptor.partition_start) and descriptor.partition_id == 0
    if payload[0] & 0x1F == _FRAGMENT:
        return len(payload) > 1 and bool(payload[1] & 0x80)
    return True
