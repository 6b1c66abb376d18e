"""The finished file: copied packets beside the encoded dub, written by FFmpeg's muxers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.stream import Disposition

from stream.errors import UserError
from stream.frames import CopiedPacket, Samples
from stream.languages import container_tag
from stream.media.copies import Copies, codec_of
from stream.media.losses import losses
from stream.media.mp4_index import drop_empty_tracks
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


STANDARD_OUTPUT = Path("-")
"""As an output: the file goes to standard output while it is made, as Matroska."""


class SinkError(UserError):
    """The output cannot be written; the message says why."""


class FileSink:
    """Writes the dubbed file; every method blocks and belongs in one thread.

    The file appears under its own name only when it is closed, complete and playable; an
    older file of that name stays until then. What has been written so far is playable as well,
    under the name of `part`, also if the process is killed.

    Args:
        path: the output, whose suffix chooses the container, or `STANDARD_OUTPUT`.
        source: what is copied.
        language: ISO 639-1 code of the dub.
        source_language: the same of the original, for its track where the source has no tag.
        replace: leave the original audio track out.
        bitrate: of the dub, bit/s per channel, for lossy codecs.
        comment: added to that of the source, for whoever reads tags.

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
        comment: str = "",
    ) -> None:
        self._comment = comment
        self.path = path
        self._notes: list[str] = []
        self.part = part_of(path)
        self._source = source
        self._written = 0
        self._suffix = ".mkv" if path == STANDARD_OUTPUT else path.suffix.lower()
        with self._reporting():
            if path == STANDARD_OUTPUT:
                self._file = os.fdopen(os.dup(1), "wb", buffering=0)
            else:
                self._file = self.part.open("wb", buffering=0)
            try:
                # FFmpeg does not write to the file itself, so that it can be left as it is.
                self._container = av.open(
                    self._file,
                    "w",
                    format=_format(self._suffix),
                    options=_options(self._suffix, source),
                )
            except ValueError as error:
                self._file.close()
                self.part.unlink()
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

    @property
    def notes(self) -> list[str]:
        """What had to be left out or converted, one sentence each."""
        return [*self._notes, *self._copies.notes]

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
        with self._reporting():
            self._copies.write(copied)

    def close(self) -> None:
        """Finish the file and give it its name."""
        with self._reporting():
            if self._written:
                self._container.mux(self._dub.encode(None))
            self._container.close()
            self._file.close()
            if self.path == STANDARD_OUTPUT:
                return
            if self._suffix in _MP4 and self._copies.has_cover:
                drop_empty_tracks(self.part)
            self.part.replace(self.path)
        self._notes += losses(self._source, self.path)

    def discard(self) -> None:
        """Give the output up and remove what was written of it."""
        self._leave()
        self.part.unlink(missing_ok=True)

    def keep(self) -> bool:
        """Give the output up and leave `part`, if there is anything in it, which is returned."""
        self._leave()
        if self._written < TICK_RATE:
            self.part.unlink(missing_ok=True)
        return self.part.exists()

    def _leave(self) -> None:
        # With the file closed nothing more is written: the end of a container may be what the
        # disk has no room for, and without it the part can be played.
        self._file.close()
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()

    def _add_streams(
        self, source: SourceInfo, language: str, source_language: str, replace: bool, bitrate: int
    ) -> Any:
        name = self._container.format.name.split(",")[0]
        if self._suffix == ".webm":
            name = "webm"
        codec = CODECS.get(name, "aac")
        self._copies = Copies(self._container, name, self._suffix, codec)
        for stream in source.streams:
            if stream.type == "video":
                self._copy_picture(stream)
        dub = self._add_dub(codec, source, language, bitrate)
        for stream in source.streams:
            if stream.type == "audio":
                self._copy_sound(stream, source, name, source_language, replace)
            elif stream.type in ("subtitle", "data", "attachment"):
                self._copies.add(stream)
        for key, value in source.metadata.items():
            if key.lower() not in FILE_TAGS:
                self._container.metadata[key] = value
        self._disclose()
        if source.chapters:
            self._container.set_chapters(list(source.chapters))
        return dub

    def _disclose(self) -> None:
        if not self._comment:
            return
        tags = self._container.metadata
        key = next((key for key in tags if key.lower() == "comment"), "comment")
        said = tags.get(key, "")
        if self._comment not in said:  # a file that is dubbed once more says so once
            tags[key] = f"{said}; {self._comment}" if said else self._comment

    def _add_dub(self, codec: str, source: SourceInfo, language: str, bitrate: int) -> Any:
        dub: Any = self._container.add_stream(codec, rate=TICK_RATE)
        self._layout = source.layout
        dub.codec_context.layout = source.layout if codec != "libmp3lame" else _narrow(source)
        dub.codec_context.time_base = Fraction(1, TICK_RATE)
        if codec not in LOSSLESS:
            dub.codec_context.bit_rate = bitrate * source.channels
        dub.metadata["language"] = container_tag(language)
        dub.metadata["title"] = f"Dub ({language})"
        dub.disposition = Disposition.default
        return dub

    def _copy_sound(
        self, stream: Any, source: SourceInfo, name: str, source_language: str, replace: bool
    ) -> None:
        original = stream.index == source.audio
        if original and replace:
            return
        if name in ONE_TRACK:
            which = "the original" if original else f"audio track {stream.index}"
            self._notes.append(f"{which} is left out: {self._suffix} holds one track")
            return
        copy = self._copies.add(stream)
        if copy is not None:
            copy.disposition = stream.disposition & ~Disposition.default
            if original and stream.metadata.get("language", "und") == "und":
                copy.metadata["language"] = container_tag(source_language)

    def _copy_picture(self, stream: Any) -> None:
        cover = stream.disposition & Disposition.attached_pic
        sound_alone = self._suffix in AUDIO_ONLY
        if sound_alone and not cover:
            self._notes.append(
                f"video track {stream.index} is left out: {self._suffix} holds sound alone"
            )
            return
        if self._copies.add(stream) is None and not cover and not sound_alone:
            raise SinkError(
                f"{self._suffix} cannot hold {codec_of(stream) or 'this'} video as it is: "
                "choose another container, such as .mkv"
            )

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = error.strerror or str(error)
            name = "standard output" if self.path == STANDARD_OUTPUT else self.path
            raise SinkError(f"{name} cannot be written: {reason}") from error


FILE_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
"""Tags that tell of the file and not of what it holds."""

AUDIO_ONLY = {".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"}
"""Suffixes of outputs that never hold a picture."""


_MP4 = {".mp4", ".m4v", ".mov", ".m4a", ".3gp"}


def _options(suffix: str, source: SourceInfo) -> dict[str, str]:
    """Options of the muxer that keep what is written playable."""
    if suffix not in _MP4:
        clusters = {"cluster_time_limit": "2000"} if suffix in (".mkv", ".webm") else {}
        return {"flush_packets": "1", **clusters}
    # Fragments while it is written, an ordinary file once it is finished. Its index is delayed
    # until it can say when each track begins, unless AAC has to be unpacked for it (ADTS).
    packed = any(
        codec_of(stream) == "aac" and not stream.codec_context.extradata
        for stream in source.streams
        if stream.type == "audio"
    )
    flags = "hybrid_fragmented+frag_keyframe" + ("" if packed else "+delay_moov")
    return {
        **({"brand": "M4A "} if suffix == ".m4a" else {}),
        "movflags": flags,
        "frag_duration": "2000000",
        "use_editlist": "1",
        "flush_packets": "1",
    }


def part_of(path: Path) -> Path:
    """Where an output is written until it is finished."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


def _format(suffix: str) -> str | None:
    """FFmpeg's name of the container where a file's name does not tell it, or tells another.

    By the suffixes of iPods' files FFmpeg means a container without HEVC or covers.
    """
    return {".m4v": "mp4", ".m4a": "mp4", ".mkv": "matroska"}.get(suffix)


def _narrow(source: SourceInfo) -> str:
    return "mono" if source.channels == 1 else "stereo"
