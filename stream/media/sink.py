"""The finished file: copied packets beside the encoded dub, written by FFmpeg's muxers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from stream.errors import UserError
from stream.frames import CopiedPacket, Samples
from stream.media.address import address
from stream.media.languages import container_tag
from stream.media.source_info import SourceInfo
from stream.timeline import TICK_RATE

CODECS = {
    "flac": "flac",
    "mp3": "libmp3lame",
    "nut": "flac",
    "ogg": "libopus",
    "opus": "libopus",
    "wav": "pcm_s16le",
    "webm": "libopus",
}
"""Encoder by container; the others take AAC."""

ONE_TRACK = {"aac", "adts", "flac", "flv", "mp3", "ogg", "opus", "wav"}
"""Containers that hold, or whose players expect, a single audio track."""

LOSSLESS = {"flac", "pcm_s16le"}


class SinkError(UserError):
    """The output cannot be written; the message says why."""


class FileSink:
    """Writes the dubbed file; every method blocks and belongs in one thread.

    The file appears under its own name only when it is closed, complete and playable; an
    older file of that name stays until then.

    Args:
        path: the output; its suffix chooses the container.
        source: what is copied.
        language: ISO 639-1 code of the dub.
        source_language: the same of the original, for its track where the source has no tag.
        replace: leave the original audio track out.
        bitrate: of the dub, bit/s per channel, for lossy codecs.

    Raises:
        SinkError: for an unknown container, or one that cannot hold the picture.
    """

    def __init__(
        self,
        path: Path,
        source: SourceInfo,
        *,
        language: str,
        source_language: str,
        replace: bool = False,
        bitrate: int = 96_000,
    ) -> None:
        self.path = path
        self.notes: list[str] = []
        """What had to be left out, one sentence each."""
        self._part = path.with_name(f".{path.stem}.part{path.suffix}")
        self._copies: dict[int, Any] = {}
        self._last_dts: dict[int, int] = {}
        self._written = 0
        with self._reporting():
            try:
                self._container = av.open(address(self._part), "w")
            except ValueError as error:
                raise SinkError(
                    f"{path} has no suffix that names a container: use .mp4, .mkv, .webm, .mov, "
                    ".ts, .wav, .mp3, .m4a, .opus or .flac"
                ) from error
            try:
                self._dub = self._add_streams(source, language, source_language, replace, bitrate)
                self._container.start_encoding()
            except BaseException:
                self.discard()
                raise

    def write_audio(self, samples: Samples) -> None:
        """Encode the next samples of the dubbed track, shape ``(n, channels)`` at 48 kHz."""
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T, np.float32), format="fltp", layout=self._layout
        )
        frame.sample_rate = TICK_RATE
        frame.time_base = Fraction(1, TICK_RATE)
        frame.pts = self._written
        self._written += len(samples)
        with self._reporting():
            self._container.mux(self._dub.encode(frame))

    def write_packet(self, copied: CopiedPacket) -> None:
        """Write a packet of the source as it is; streams that were left out are ignored."""
        stream = self._copies.get(copied.stream)
        if stream is None:
            return
        packet = copied.packet
        if packet.dts is not None:
            # Muxers refuse a timestamp that does not advance; a broken source may have some.
            floor = self._last_dts.get(copied.stream)
            if floor is not None and packet.dts <= floor:
                packet.dts = floor + 1
                if packet.pts is not None:
                    packet.pts = max(packet.pts, packet.dts)
            self._last_dts[copied.stream] = packet.dts
        packet.stream = stream
        with self._reporting():
            self._container.mux_one(packet)

    def close(self) -> None:
        """Finish the file and give it its name."""
        with self._reporting():
            if self._written:
                self._container.mux(self._dub.encode(None))
            self._container.close()
            self._part.replace(self.path)

    def discard(self) -> None:
        """Give the output up and remove what was written of it."""
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()
        self._part.unlink(missing_ok=True)

    def _add_streams(
        self, source: SourceInfo, language: str, source_language: str, replace: bool, bitrate: int
    ) -> Any:
        name = self._container.format.name.split(",")[0]
        if self.path.suffix.lower() == ".webm":
            name = "webm"
        pictures = [s for s in source.streams if s.type == "video"]
        for stream in pictures:
            self._copy(stream, name)
        codec = CODECS.get(name, "aac")
        dub: Any = self._container.add_stream(codec, rate=TICK_RATE)
        self._layout = source.layout
        dub.codec_context.layout = source.layout if codec != "libmp3lame" else _narrow(source)
        dub.codec_context.time_base = Fraction(1, TICK_RATE)
        if codec not in LOSSLESS:
            dub.codec_context.bit_rate = bitrate * source.channels
        dub.metadata["language"] = container_tag(language)
        dub.metadata["title"] = f"Dub ({language})"
        dub.disposition = av.stream.Disposition.default
        for stream in source.streams:
            original = stream.index == source.audio
            if stream.type == "audio" and not (original and replace):
                if name in ONE_TRACK:
                    which = "the original" if original else f"audio track {stream.index}"
                    self.notes.append(f"{which} is left out: {self.path.suffix} holds one track")
                    continue
                copy = self._copy(stream, name)
                if copy is not None:
                    copy.disposition = stream.disposition & ~av.stream.Disposition.default
                    if original and stream.metadata.get("language", "und") == "und":
                        copy.metadata["language"] = container_tag(source_language)
            elif stream.type == "subtitle":
                self._copy(stream, name)
        for key, value in source.metadata.items():
            if key not in ("major_brand", "minor_version", "compatible_brands", "encoder"):
                self._container.metadata[key] = value
        return dub

    def _copy(self, stream: Any, container: str) -> Any | None:
        codec = getattr(stream.codec_context, "name", None) if stream.codec_context else None
        known = self._container.supported_codecs
        canonical = stream.codec_context.codec.canonical_name if codec else None
        # MPEG-TS does not list what it can carry; it refuses what it cannot when it starts.
        unlisted = container == "mpegts" and stream.type != "subtitle"
        if canonical is None or not (unlisted or {codec, canonical} & known):
            cover = stream.type == "video" and stream.disposition & (
                av.stream.Disposition.attached_pic
            )
            if stream.type == "video" and not cover and self.path.suffix.lower() not in AUDIO_ONLY:
                raise SinkError(
                    f"{self.path.suffix} cannot hold {codec or 'this'} video as it is: "
                    "choose another container, such as .mkv"
                )
            self.notes.append(
                f"{stream.type} track {stream.index} is left out: {self.path.suffix} cannot hold "
                f"{codec or 'its kind'}"
            )
            return None
        copy = self._container.add_stream_from_template(stream, opaque=True)
        copy.time_base = stream.time_base
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
        self._copies[stream.index] = copy
        return copy

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = error.strerror or str(error)
            raise SinkError(f"{self.path} cannot be written: {reason}") from error


AUDIO_ONLY = {".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"}
"""Suffixes of outputs that never hold a picture."""


def _narrow(source: SourceInfo) -> str:
    return "mono" if source.channels == 1 else "stereo"
