"""The parts of FFmpeg that livedub uses, and what for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.codec import Codec
from av.codec.codec import UnknownCodecError

_ENCODERS = {
    "aac": "MP4, MOV, MPEG-TS, FLV and HLS",
    "libopus": "WebM, Ogg and WebRTC",
    "libmp3lame": "MP3",
    "flac": "FLAC and Matroska",
    "pcm_s16le": "WAV",
    "libx264": "video that a container cannot copy",
}
_FILTERS = {"atempo": "fitting speech to its slot", "aresample": "sampling rates"}
_MUXERS = {
    "mp4": "MP4 and HLS",
    "matroska": "Matroska and WebM",
    "flv": "RTMP",
    "mpegts": "MPEG-TS over UDP and SRT",
}
_NEEDED = ("aac", "atempo", "aresample", "mp4")


@dataclass(frozen=True, slots=True)
class Component:
    """A part of FFmpeg: an encoder, a filter or a muxer, and what it is for."""

    kind: str
    name: str
    purpose: str
    present: bool
    needed: bool


def ffmpeg_parts() -> Iterator[Component]:
    """What livedub uses of FFmpeg, and whether it is here."""
    filters = av.filter.filters_available
    formats = av.formats_available
    for name, purpose in _ENCODERS.items():
        yield Component("encoder", name, purpose, _encodes(name), name in _NEEDED)
    for name, purpose in _FILTERS.items():
        yield Component("filter", name, purpose, name in filters, name in _NEEDED)
    for name, purpose in _MUXERS.items():
        yield Component("muxer", name, purpose, name in formats, name in _NEEDED)


def _encodes(name: str) -> bool:
    try:
        return Codec(name, "w").is_encoder
    except UnknownCodecError:
        return False
