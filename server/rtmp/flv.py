"""FLV, the file form of what RTMP carries: the same bodies, each behind a tag header."""

from __future__ import annotations

from collections.abc import Iterator

AUDIO, VIDEO, SCRIPT = 8, 9, 18
"""Tag types; RTMP's message types are the same numbers."""

HEADER = b"FLV\x01\x05" + (9).to_bytes(4, "big") + bytes(4)
"""Start of a stream that may hold sound and picture, with the size of the tag before the first."""

TAG_HEADER_BYTES, TAG_SIZE_BYTES = 11, 4
"""Bytes before and after the body of a tag."""

_AAC, _AVC, _HEVC = 10, 7, 12
_EX_AUDIO = 9
_COMMAND_FRAME = 5
_SEQUENCE_START, _CODED_FRAMES, _CODED_FRAMES_X = 0, 1, 3


class FlvWriter:
    """Tags as they come, and a new stream where one cannot say what happens to the publication.

    A reader of FLV finds out at its beginning what it holds. When a picture joins the sound, or
    sound the picture, or either changes its codec, another stream begins, with everything that
    its reader needs to decode it. Times are the publisher's: what they mean is the source's to say.
    """

    def __init__(self) -> None:
        self._codecs: dict[int, bytes] = {}  # of this stream
        self._configurations: dict[int, bytes] = {}
        self._begun = False

    def tags(self, kind: int, stamp: int, body: bytes) -> Iterator[tuple[bytes, bool]]:
        """The bytes for one message, and whether they begin another stream.

        Args:
            kind: ``AUDIO``, ``VIDEO`` or ``SCRIPT``.
            stamp: the publisher's time, ms, of 32 bits.
            body: under 16 MiB, not empty.
        """
        codec = None if kind == SCRIPT else _codec(kind, body)
        if codec is not None:
            if self._begun and self._codecs.get(kind) != codec:
                self._codecs.pop(kind, None)
                self._configurations.pop(kind, None)
                self._begun = False
                known = (_tag(other, stamp, it) for other, it in self._configurations.items())
                yield HEADER + b"".join(known), True
            self._codecs[kind] = codec
            if _configures(kind, body):
                self._configurations[kind] = body
            else:
                self._begun = True
        # FFmpeg takes scripts at time 0 for tags, and others for a stream of text.
        yield _tag(kind, 0 if kind == SCRIPT else stamp, body), False


def _tag(kind: int, stamp: int, body: bytes) -> bytes:
    """One tag and the size that follows it."""
    time = stamp.to_bytes(4, "big")
    head = bytes([kind]) + len(body).to_bytes(3, "big") + time[1:] + time[:1] + bytes(3)
    return head + body + (len(head) + len(body)).to_bytes(4, "big")


def _codec(kind: int, body: bytes) -> bytes | None:
    """What names the codec of a body, ``None`` if it has none."""
    first, extended = body[0], _extended(kind, body)
    if extended:
        named = first & 0x0F in (_SEQUENCE_START, _CODED_FRAMES, _CODED_FRAMES_X)
        return body[1:5] if named and len(body) >= 5 else None
    if kind == AUDIO:
        return bytes([first >> 4])
    return None if first >> 4 == _COMMAND_FRAME else bytes([first & 0x0F])


def _configures(kind: int, body: bytes) -> bool:
    """Whether a body configures a decoder."""
    if _extended(kind, body):
        return body[0] & 0x0F == _SEQUENCE_START
    if kind == AUDIO:
        return body[0] >> 4 == _AAC and body[1:2] == b"\0"
    return body[0] & 0x0F in (_AVC, _HEVC) and body[1:2] == b"\0"


def _extended(kind: int, body: bytes) -> bool:
    """Whether the codec is named by four letters, and the packet's type is in the first byte."""
    return bool(body[0] & 0x80) if kind == VIDEO else body[0] >> 4 == _EX_AUDIO
