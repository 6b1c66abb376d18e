"""The WebSocket protocol's binary frames and errors, without sockets.

See docs/protocols/websocket.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, get_args

from stream.errors import LivedubError

SUBPROTOCOL = "livedub.v1"

MAX_MESSAGE = 64 * 1024
"""Bytes of the longest message that either side may send."""

MAX_PACKET = 4096
"""Bytes of the longest Opus packet: more than 20 ms at libopus's highest bit rate."""

Format = Literal["pcm_s16le", "pcm_f32le", "opus"]
FORMATS: tuple[Format, ...] = get_args(Format)

_HEADER = struct.Struct("<BBBBIq")
HEADER_BYTES = _HEADER.size
_MAGIC = 0xD1
_KINDS: dict[Format, int] = {"pcm_s16le": 1, "pcm_f32le": 2, "opus": 3}
_DISCONTINUITY = 1
_UNTIMED = 2
_FLAGS_AT = 2
FURTHEST = 1 << 53
"""Ticks; later times are mistakes, and JavaScript cannot count them exactly."""


class ProtocolError(LivedubError):
    """The other side broke the protocol, or is refused.

    Attributes:
        code: WebSocket close code.
        reason: one sentence for whoever is on the other side.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


BAD_REQUEST = 4400
UNAUTHENTICATED = 4401
FORBIDDEN = 4403
NOT_FOUND = 4404
TOO_SLOW = 4408
CONFLICT = 4409
GOING_AWAY = 1001
UNSUPPORTED = 1003
TOO_BIG = 1009
INTERNAL = 1011
TRY_LATER = 1013


@dataclass(frozen=True, slots=True)
class Encoding:
    """How sound travels.

    Attributes:
        format: samples, or Opus packets.
        rate: Hz; always 48000 for Opus.
        channels: interleaved.
    """

    format: Format
    rate: int
    channels: int

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of every channel; 0 for Opus."""
        return {"pcm_s16le": 2, "pcm_f32le": 4, "opus": 0}[self.format] * self.channels


@dataclass(frozen=True, slots=True)
class Frame:
    """One binary message.

    Attributes:
        format: what the payload is.
        time: media time of its first sample in ticks, ``None`` if the publisher has no clock.
        samples: how many it holds, at the connection's rate.
        payload: interleaved samples, or one Opus packet.
        track: index into the ``tracks`` of the hello message; 0 when publishing.
        discontinuity: the samples do not continue those of the frame before.
    """

    format: Format
    time: int | None
    samples: int
    payload: bytes
    track: int = 0
    discontinuity: bool = False


def encode_frame(frame: Frame) -> bytes:
    """The message that carries ``frame``."""
    flags = _DISCONTINUITY * frame.discontinuity | _UNTIMED * (frame.time is None)
    header = _HEADER.pack(
        _MAGIC, _KINDS[frame.format], flags, frame.track, frame.samples, frame.time or 0
    )
    return header + frame.payload


def discontinuous(message: bytes) -> bytes:
    """The same frame, marked as not continuing the one before."""
    flags = message[_FLAGS_AT] | _DISCONTINUITY
    return message[:_FLAGS_AT] + bytes((flags,)) + message[_FLAGS_AT + 1 :]


def decode_frame(message: bytes, encoding: Encoding) -> Frame:
    """Read a binary message of a connection that carries ``encoding``.

    Raises:
        ProtocolError: if it is no frame of that encoding.
    """
    check_size(message)
    if len(message) < HEADER_BYTES:
        raise wrong(
            f"A frame has a header of {HEADER_BYTES} bytes, not {len(message)} bytes in all"
        )
    magic, kind, flags, track, samples, time = _HEADER.unpack_from(message)
    if magic != _MAGIC:
        raise wrong(f"A frame of {SUBPROTOCOL} begins with byte 0x{_MAGIC:02x}, not 0x{magic:02x}")
    if kind != _KINDS[encoding.format]:
        raise wrong(f"This connection carries {encoding.format}, but a frame is of kind {kind}")
    if abs(time) > FURTHEST:
        raise wrong("The time of a frame must be within 2^53 ticks of zero")
    payload = message[HEADER_BYTES:]
    if encoding.format == "opus":
        if not 0 < len(payload) <= MAX_PACKET:
            raise wrong(f"An Opus packet has 1 to {MAX_PACKET} bytes, not {len(payload)}")
        if not 0 < samples <= 5760:
            raise wrong(f"An Opus packet holds 1 to 5760 samples at 48000 Hz, not {samples}")
    elif len(payload) != samples * encoding.sample_bytes or not samples:
        raise wrong(f"A frame says it holds {samples} samples, but carries {len(payload)} bytes")
    return Frame(
        encoding.format,
        None if flags & _UNTIMED else time,
        samples,
        payload,
        track,
        bool(flags & _DISCONTINUITY),
    )


def raw_frame(message: bytes, encoding: Encoding) -> Frame:
    """Read a binary message that is nothing but samples, their time implied.

    Raises:
        ProtocolError: if it does not hold whole samples.
    """
    check_size(message)
    samples, rest = divmod(len(message), encoding.sample_bytes)
    if rest or not samples:
        raise wrong(
            f"A message of {len(message)} bytes does not hold whole samples of "
            f"{encoding.sample_bytes} bytes"
        )
    return Frame(encoding.format, None, samples, message)


def check_size(message: str | bytes) -> None:
    """Raise ``ProtocolError`` if a message is longer than any may be."""
    if len(message) > MAX_MESSAGE:
        raise ProtocolError(TOO_BIG, f"A message may have {MAX_MESSAGE} bytes at most")


def wrong(reason: str) -> ProtocolError:
    """The error for a parameter, frame or message that is wrong."""
    return ProtocolError(BAD_REQUEST, reason)
