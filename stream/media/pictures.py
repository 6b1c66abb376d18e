"""A source's sound and its moving picture, each picture in the form that a feed carries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import av
import av.error

from stream.frames import AudioChunk, CopiedPacket, PictureFormat, PicturePacket
from stream.media.annexb import CODECS, AnnexB
from stream.media.bounds import picture_decoder
from stream.media.source import MediaSource
from stream.timeline import TICK, rescale


class SoundAndPicture:
    """The dubbed sound of a source and its moving picture; iterated and closed in a thread.

    Args:
        source: opened.
    """

    def __init__(self, source: MediaSource) -> None:
        self._source = source

    def __iter__(self) -> Iterator[AudioChunk | PicturePacket]:
        reader: _PictureReader | None = None
        for item in self._source:
            if isinstance(item, AudioChunk):
                yield item
            elif item.stream == self._source.info.picture:
                if reader is None or reader.stream is not item.packet.stream:
                    reader = _PictureReader(item.packet.stream)
                picture = reader.read(item)
                if picture is not None:
                    yield picture

    @property
    def segmented(self) -> bool:
        """Whether it comes in pieces of several seconds, each of them at once."""
        return self._source.segmented

    @property
    def notes(self) -> list[str]:
        """What was chosen where there was a choice, one sentence each."""
        return self._source.notes

    def leave(self) -> None:
        """See ``LiveMedia``: FFmpeg cannot be interrupted, and gives up by itself."""

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class _PictureReader:
    """Packets of one stream as pictures; H.264 and HEVC in Annex B form."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        context = stream.codec_context
        codec = context.codec.canonical_name  # the context has its decoder's, such as libdav1d
        stored = bytes(context.extradata or b"")
        self._convert = AnnexB(codec, stored) if codec in CODECS else None
        self._format = PictureFormat(
            codec,
            stored if self._convert is None else self._convert.sets,
            context.width,
            context.height,
            reordered=bool(context.has_b_frames),
        )

    def read(self, item: CopiedPacket) -> PicturePacket | None:
        """The picture in a packet, if there is one."""
        packet = item.packet
        data, key = bytes(packet), packet.is_keyframe
        if self._convert is not None:
            if packet.has_sidedata("new_extradata"):
                self._convert.configure(bytes(packet.get_sidedata("new_extradata")))
            data = self._convert.convert(data, key=key)
            if not data:
                return None
            key = key and self._convert.complete
            if key and self._convert.sets != self._format.extradata:
                self._change(self._convert.sets, data)
        shown = item.time if packet.pts is None else rescale(packet.pts, packet.time_base, TICK)
        return PicturePacket(self._format, item.time, shown, key, data)

    def _change(self, sets: bytes, data: bytes) -> None:
        """The coding has changed, and perhaps the size with it."""
        known = self._format
        width, height = coded_size(known.codec, data) or (known.width, known.height)
        self._format = replace(known, extradata=sets, width=width, height=height)


def coded_size(codec: str, keyframe: bytes) -> tuple[int, int] | None:
    """Width and height of a keyframe, pixels, which only decoding tells for sure."""
    decoder = picture_decoder(codec)
    decoder.thread_count = 1
    with contextlib.suppress(av.error.FFmpegError, OSError):
        for frame in [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)]:
            return frame.width, frame.height
    return None
