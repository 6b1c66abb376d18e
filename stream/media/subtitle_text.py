"""Subtitles in text, converted to the coding that another container holds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av.error

_TEXT = {
    "mp4": "mov_text", "mov": "mov_text", "ipod": "mov_text", "3gp": "mov_text",
    "matroska": "subrip", "webm": "webvtt",
}  # fmt: skip
"""Coding of text by FFmpeg's name of the container."""

_MILLISECOND = Fraction(1, 1000)


def text_codec(stream: Any, container: str) -> str | None:
    """The coding that a subtitle stream can be converted to, ``None`` if it is none of text."""
    context = stream.codec_context
    if context is None or not context.codec.text_sub:
        return None
    return _TEXT.get(container)


class TextConverter:
    """One stream of subtitles on its way to another coding.

    Args:
        source: the stream.
        container: the output.
        codec: from `text_codec`.
    """

    def __init__(self, source: Any, container: Any, codec: str) -> None:
        self._decoder = source.codec_context
        self._decoder.open(strict=False)
        self.stream: Any = container.add_stream(codec)
        self.stream.time_base = _MILLISECOND
        self._encoder = self.stream.codec_context
        self._encoder.time_base = _MILLISECOND
        self._encoder.subtitle_header = self._decoder.subtitle_header

    def convert(self, packet: Any) -> list[Any]:
        """The packet in the new coding; nothing of one that cannot be read or says nothing."""
        try:
            text = self._decoder.decode2(packet)
            if text is None or not len(text):
                return []
            new = self._encoder.encode_subtitle(text)
        except (av.error.FFmpegError, OSError):
            return []
        new.pts = new.dts = packet.pts
        new.duration = packet.duration
        new.time_base = packet.time_base
        return [new]
