"""Streams of a source in the finished file: as they are, or as the container can hold them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import av
import av.error
from av.stream import Disposition

from stream.frames import CopiedPacket
from stream.media.annexb import AnnexB
from stream.media.subtitle_text import TextConverter, text_codec

MP4_FAMILY = {"mp4", "mov", "ipod", "3gp"}

_MPEGTS = {
    "h264", "hevc", "vvc", "av1", "mpeg1video", "mpeg2video", "mpeg4", "vc1", "jpeg2000", "cavs",
    "aac", "aac_latm", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "opus", "s302m",
    "dvb_subtitle", "dvb_teletext", "klv", "timed_id3", "scte_35",
}  # fmt: skip
"""What can be read back; FFmpeg writes anything else into MPEG-TS as well, without its name."""

_PICTURES_IN_HEADER = {"mp4", "ipod", "3gp", "mp3", "flac"}
"""Containers that have a place for a cover, filled by the packet of an attached picture."""

_Take = Callable[[Any], list[Any]]


class Copies:
    """The copied streams of an output, of which the header is not written yet.

    Args:
        container: the output.
        name: FFmpeg's name of its format.
        suffix: of its file, for messages.
        dub: encoder of the dub, beside which each stream must be accepted.
    """

    def __init__(self, container: Any, name: str, suffix: str, dub: str) -> None:
        self._container = container
        self._name = name
        self._suffix = suffix
        self._dub = dub
        self._streams: dict[int, Any] = {}
        self._take: dict[int, _Take] = {}
        self._last_dts: dict[int, int] = {}
        self._refused: dict[int, int] = {}
        self._kinds: dict[int, str] = {}
        self._notes: list[str] = []
        self.has_cover = False
        """Whether one of them is a still picture that goes with the whole."""

    @property
    def notes(self) -> list[str]:
        """What had to be left out or converted, one sentence each."""
        refused = [
            f"{self._kinds[index]} track {index} lacks {count} packets that {self._suffix} refused"
            for index, count in sorted(self._refused.items())
        ]
        return [*self._notes, *refused]

    def add(self, stream: Any) -> Any | None:
        """Copy a stream; ``None`` if the container has no place for it, which is noted."""
        self._kinds[stream.index] = stream.type
        if codec_of(stream) == "bin_data":  # the text of an MP4's chapters
            return None
        copy, take = self._accepted(stream)
        if copy is None:
            track, what = f"{stream.type} track {stream.index}", codec_of(stream) or "its kind"
            if stream.type == "attachment":
                track, what = f"attachment {stream.name}", "it"
            self._notes.append(f"{track} is left out: {self._suffix} cannot hold {what}")
            return None
        if stream.time_base and take is None:
            copy.time_base = stream.time_base
        for key, value in stream.metadata.items():
            if key not in ("encoder", "vendor_id", "ENCODER"):
                copy.metadata[key] = value
        copy.disposition = stream.disposition
        self.has_cover |= bool(stream.disposition & Disposition.attached_pic)
        self._streams[stream.index] = copy
        if take is not None:
            self._take[stream.index] = take
        return copy

    def write(self, copied: CopiedPacket) -> None:
        """Write a packet; a stream that was left out is ignored, a refused packet is counted.

        Raises:
            FFmpegError, OSError: if the output cannot be written.
        """
        stream = self._streams.get(copied.stream)
        if stream is None:
            return
        for packet in self._take.get(copied.stream, _as_it_is)(copied.packet):
            self._advance(copied.stream, packet)
            packet.stream = stream
            try:
                self._container.mux_one(packet)
            except (av.error.InvalidDataError, av.error.ArgumentError, av.error.PatchWelcomeError):
                self._refused[copied.stream] = self._refused.get(copied.stream, 0) + 1

    def _advance(self, index: int, packet: Any) -> None:
        """Muxers refuse a timestamp that is missing or does not advance, as some sources' are."""
        floor = self._last_dts.get(index)
        if packet.dts is None:
            packet.dts = packet.pts if floor is None else floor + 1
        if packet.dts is None:
            return
        if floor is not None and packet.dts <= floor:
            packet.dts = floor + 1
            if packet.pts is not None:
                packet.pts = max(packet.pts, packet.dts)
        self._last_dts[index] = packet.dts

    def _accepted(self, stream: Any) -> tuple[Any | None, _Take | None]:
        codec = codec_of(stream)
        cover = bool(stream.disposition & Disposition.attached_pic)
        if cover and self._name == "matroska":
            return self._attached(stream), _nothing
        if cover and self._name not in _PICTURES_IN_HEADER:
            return None, None
        if self._name != "mpegts" or codec in _MPEGTS:
            for tag in (*self._tags(stream), None):
                if accepts(self._name, self._dub, stream, tag):
                    return self._as_template(stream, tag)
        if stream.type == "subtitle" and (text := text_codec(stream, self._name)) is not None:
            converter = TextConverter(stream, self._container, text)
            self._notes.append(
                f"subtitle track {stream.index} was converted from {codec} to {text} for "
                f"{self._suffix}"
            )
            return converter.stream, converter.convert
        return None, None

    def _as_template(self, stream: Any, tag: str | None) -> tuple[Any, _Take | None]:
        copy = self._container.add_stream_from_template(stream, opaque=True)
        if tag is None:
            return copy, None
        copy.codec_context.codec_tag = tag
        stored = bytes(stream.codec_context.extradata or b"")
        if tag != "hvc1" or AnnexB("hevc", stored).complete:
            return copy, None
        # The parameter sets are in the pictures alone, where players of this tag look for none.
        convert = _first_keyframe(stream, stored)
        copy.codec_context.extradata = convert.sets

        def take(packet: Any) -> list[Any]:
            data = convert.convert(bytes(packet), key=packet.is_keyframe)
            new: Any = av.Packet(data)
            new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
            new.time_base, new.is_keyframe = packet.time_base, packet.is_keyframe
            return [new] if data else []

        return copy, take

    def _tags(self, stream: Any) -> tuple[str, ...]:
        """Names of the coding in the order in which to try them; FFmpeg's own comes last."""
        if self._name not in MP4_FAMILY or stream.codec_context is None:
            return ()
        own: tuple[str, ...] = ()
        if "mp4" in stream.container.format.name:
            with contextlib.suppress(UnicodeDecodeError):
                own = (stream.codec_context.codec_tag,)
        if codec_of(stream) != "hevc" or own in (("dvh1",), ("hvc1",)):
            return own
        # Apple's players take no hev1, FFmpeg's choice.
        stored = bytes(stream.codec_context.extradata or b"")
        whole = AnnexB("hevc", stored).complete or _first_keyframe(stream, stored).complete
        return ("hvc1",) if whole else ()

    def _attached(self, stream: Any) -> Any:
        """A cover as Matroska keeps it: a file."""
        kind = {"mjpeg": "jpeg"}.get(codec_of(stream) or "", codec_of(stream))
        name = stream.metadata.get("filename", f"cover.{'jpg' if kind == 'jpeg' else kind}")
        data = _first_packet(stream)
        return self._container.add_attachment(name, f"image/{kind}", data)


def accepts(name: str, dub: str, stream: Any, tag: str | None = None) -> bool:
    """Whether a container takes a stream, which only its muxer knows for sure."""
    memory = io.BytesIO()
    # MP4 finds faults where it writes its index, which is at the end unless told otherwise.
    options = {"movflags": "empty_moov"} if name in MP4_FAMILY else {}
    with av.open(memory, "w", format=name, options=options) as trial:
        try:
            if stream.type != "audio":  # some formats are nothing without sound
                trial.add_stream(dub, rate=48_000)
            copy: Any = trial.add_stream_from_template(stream, opaque=True)
            if tag is not None:
                copy.codec_context.codec_tag = tag
            trial.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError):
            return False
        finally:
            memory.close()  # so that no trailer is written
    return True


def codec_of(stream: Any) -> str | None:
    """FFmpeg's name of a stream's coding, ``None`` where it knows none."""
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    name = getattr(stream, "name", None)
    return str(name) if name and stream.type == "data" else None


def _as_it_is(packet: Any) -> list[Any]:
    return [packet]


def _nothing(packet: Any) -> list[Any]:
    return []


def _first_packet(stream: Any, *, key: bool = False) -> bytes:
    """The first packet of a stream, or its first keyframe, from a second reading of its file."""
    with (
        contextlib.suppress(av.error.FFmpegError, OSError),
        av.open(stream.container.name) as again,
    ):
        for packet in again.demux(again.streams[stream.index]):
            if packet.size and (packet.is_keyframe or not key):
                return bytes(packet)
    return b""


def _first_keyframe(stream: Any, stored: bytes) -> AnnexB:
    convert = AnnexB("hevc", stored)
    convert.convert(_first_packet(stream, key=True), key=True)
    return convert
