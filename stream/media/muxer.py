"""Coded pictures and AAC tracks into one of FFmpeg's containers, at exactly their media times."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import av
import av.error
from av.stream import Disposition

from stream.errors import LivedubError
from stream.frames import PictureFormat, PicturePacket
from stream.languages import container_tag
from stream.media.aac import LAYOUTS, AacPacket
from stream.media.annexb import CODECS
from stream.timeline import TICK, TICK_RATE

NONE: Mapping[str, str] = MappingProxyType({})


TS_OPTIONS = {"max_delay": "300000", "pes_payload_size": "0"}
"""What MPEG-TS takes to arrive in time: its clock (PCR) is 0.3 s behind its media, so that a
picture is there before it is decoded, and no packet of sound waits to be sent with others."""


class MuxerError(LivedubError):
    """The output cannot be written; the message says why."""


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """An AAC track of an output; ``default`` asks players to choose it."""

    channels: int
    language: str = "und"
    title: str = ""
    default: bool = False


class Muxer:
    """Writes one output; every method blocks and belongs in one thread.

    Args:
        target: path, URL, or something writable.
        container: FFmpeg's name of the format.
        picture: what the pictures are, ``None`` for sound alone. A muxer cannot change it.
        sounds: the tracks, in their order.
        zero: media time that becomes the container's 0, ticks.
        comment: for the container's tags, if it has any.
        options: of the muxer.
        protocol: options of FFmpeg's protocol that the target names.

    Raises:
        MuxerError: from every method, when the target cannot be written or cannot hold the codec.
    """

    def __init__(
        self,
        target: str | io.RawIOBase,
        container: str,
        picture: PictureFormat | None,
        sounds: list[SoundTrack],
        *,
        zero: int = 0,
        comment: str = "",
        options: Mapping[str, str] = NONE,
        protocol: Mapping[str, str] = NONE,
    ) -> None:
        self._zero = zero
        self._last = -1
        self._configured = False
        self._name = target.removeprefix("file:") if isinstance(target, str) else container
        with _Reporting(self._name):
            if protocol and isinstance(target, str):
                target = _slave(target, {"f": container, **options, **protocol})
                container, options = "tee", NONE
            self._container: Any = av.open(target, "w", format=container, options=dict(options))
            if comment:
                self._container.metadata["comment"] = comment
            self._picture = None if picture is None else self._add_picture(picture)
            self._sounds = [self._add_sound(sound) for sound in sounds]

    def write_picture(self, packet: PicturePacket, duration: int) -> None:
        """Write a picture that is the newest for ``duration`` ticks; the first must be a key."""
        data = packet.data
        if not self._configured and not packet.key and packet.format.codec in CODECS:
            data = packet.format.extradata + data  # the container's header is made of it
        self._configured = True
        coded: Any = av.Packet(data)
        coded.stream = self._picture
        coded.time_base = TICK
        # Before a source's first keyframe is shown its decoding time may be negative, which
        # containers cannot hold: it is decoded a little later, and shown when it was to be.
        coded.dts = self._last = max(packet.time - self._zero, self._last + 1)
        coded.pts = max(packet.shown - self._zero, coded.dts)
        coded.duration = max(1, packet.time - self._zero + duration - coded.dts)
        coded.is_keyframe = packet.key
        self._write(coded)

    def write_sound(self, track: int, packet: AacPacket) -> None:
        """Write a packet of the track with this number."""
        coded: Any = av.Packet(packet.data)
        coded.stream = self._sounds[track]
        coded.time_base = TICK
        coded.pts = coded.dts = packet.time - self._zero
        coded.duration = packet.end - packet.time
        coded.is_keyframe = True
        self._write(coded)

    def close(self) -> None:
        """Write what the container needs at its end."""
        with _Reporting(self._name):
            self._container.close()

    def _write(self, coded: Any) -> None:
        with _Reporting(self._name):
            self._container.mux_one(coded)

    def _add_picture(self, picture: PictureFormat) -> Any:
        return self._container.add_mux_stream(
            picture.codec, width=picture.width, height=picture.height, time_base=TICK
        )

    def _add_sound(self, sound: SoundTrack) -> Any:
        stream = self._container.add_stream("aac", rate=TICK_RATE)
        stream.codec_context.layout = LAYOUTS[sound.channels]
        stream.codec_context.time_base = TICK
        stream.codec_context.flags |= av.codec.context.Flags.global_header.value
        stream.metadata["language"] = container_tag(sound.language)
        if sound.title:
            stream.metadata["title"] = sound.title
        stream.disposition = Disposition.default if sound.default else Disposition(0)
        return stream


def _slave(target: str, options: Mapping[str, str]) -> str:
    """A target of FFmpeg's tee, which hands options to a protocol; PyAV hands it none."""
    given = ":".join(f"{name}={_escaped(value, ':]')}" for name, value in options.items())
    return _escaped(f"[{given}]{target}", "|")


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{char}" if char in "\\'" + special else char for char in text)


class _Reporting:
    """Turns FFmpeg's errors into one sentence."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, av.error.FFmpegError | OSError | ValueError):
            reason = getattr(error, "strerror", None) or str(error)
            raise MuxerError(f"{self._name} cannot be written: {reason}") from error
