"""The WebSocket protocol without sockets: binary frames, requests and JSON messages.

docs/protocols.md describes what goes over the wire; both endpoints and the client use this.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

SUBPROTOCOL = "livedub.v1"

MAX_MESSAGE = 64 * 1024
"""Bytes of the longest message that either side may send."""

MAX_TEXT = 4096
"""Characters of the longest JSON message that a client may send."""

MAX_PACKET = 4096
"""Bytes of the longest Opus packet: more than 20 ms at libopus's highest bit rate."""

SAMPLE_RATES = (48_000, 24_000, 16_000)
"""Rates at which one can listen, Hz."""

Format = Literal["pcm_s16le", "pcm_f32le", "opus"]
FORMATS: tuple[Format, ...] = get_args(Format)

_HEADER = struct.Struct("<BBBBIq")
HEADER_BYTES = _HEADER.size
_MAGIC = 0xD1
_KINDS: dict[Format, int] = {"pcm_s16le": 1, "pcm_f32le": 2, "opus": 3}
_DISCONTINUITY = 1
_UNTIMED = 2
_FLAGS_AT = 2
_FURTHEST = 1 << 53
"""Ticks; later times are mistakes, and JavaScript cannot count them exactly."""


class ProtocolError(Exception):
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
        raise _bad(f"A frame has a header of {HEADER_BYTES} bytes, not {len(message)} bytes in all")
    magic, kind, flags, track, samples, time = _HEADER.unpack_from(message)
    if magic != _MAGIC:
        raise _bad(f"A frame of {SUBPROTOCOL} begins with byte 0x{_MAGIC:02x}, not 0x{magic:02x}")
    if kind != _KINDS[encoding.format]:
        raise _bad(f"This connection carries {encoding.format}, but a frame is of kind {kind}")
    if abs(time) > _FURTHEST:
        raise _bad("The time of a frame must be within 2^53 ticks of zero")
    payload = message[HEADER_BYTES:]
    if encoding.format == "opus":
        if not 0 < len(payload) <= MAX_PACKET:
            raise _bad(f"An Opus packet has 1 to {MAX_PACKET} bytes, not {len(payload)}")
        if not 0 < samples <= 5760:
            raise _bad(f"An Opus packet holds 1 to 5760 samples at 48000 Hz, not {samples}")
    elif len(payload) != samples * encoding.sample_bytes or not samples:
        raise _bad(f"A frame says it holds {samples} samples, but carries {len(payload)} bytes")
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
        raise _bad(
            f"A message of {len(message)} bytes does not hold whole samples of "
            f"{encoding.sample_bytes} bytes"
        )
    return Frame(encoding.format, None, samples, message)


def check_size(message: str | bytes) -> None:
    """Raise ``ProtocolError`` if a message is longer than any may be."""
    if len(message) > MAX_MESSAGE:
        raise ProtocolError(TOO_BIG, f"A message may have {MAX_MESSAGE} bytes at most")


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """What a listener asks for in its URL.

    Attributes:
        track: a name, ``None`` for the first dub.
        encoding: ``channels`` is 0 where the feed's own number is wanted.
        events: whether transcripts and the like are sent.
        start: media time from which to go on, ticks, or ``None`` for now.
        feed: the id of the feed that ``start`` belongs to, from an earlier hello.
    """

    track: str | None
    encoding: Encoding
    events: bool
    start: int | None
    feed: str | None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> ListenRequest:
        """Read the query of a listen URL.

        Raises:
            ProtocolError: naming the parameter, its value and the choices.
        """
        encoding = Encoding(
            _format(query),
            int(_choice(query, "rate", tuple(map(str, SAMPLE_RATES)), "48000")),
            int(_choice(query, "channels", ("1", "2"), "0")),
        )
        return cls(
            query.get("track"),
            _checked(encoding),
            _choice(query, "events", ("true", "false"), "true") == "true",
            _integer(query, "from", 0, _FURTHEST),
            query.get("feed"),
        )

    def with_channels(self, channels: int) -> ListenRequest:
        """The same request, the number of channels settled."""
        return replace(self, encoding=replace(self.encoding, channels=channels))


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What a publisher says in its URL.

    Attributes:
        encoding: of every frame.
        raw: messages are samples without a header.
        ack: whether the server is to say what it has taken.
    """

    encoding: Encoding
    raw: bool
    ack: bool

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> PublishRequest:
        """Read the query of a publish URL.

        Raises:
            ProtocolError: naming the parameter, its value and the choices.
        """
        rate = _integer(query, "rate", 8_000, 192_000)
        encoding = Encoding(
            _format(query),
            48_000 if rate is None else rate,
            int(_choice(query, "channels", ("1", "2"), "1")),
        )
        raw = _choice(query, "framing", ("frames", "raw"), "frames") == "raw"
        if raw and encoding.format == "opus":
            raise _bad("Opus needs framing=frames: without headers only PCM can be told apart")
        ack = _choice(query, "ack", ("true", "false"), "false") == "true"
        return cls(_checked(encoding), raw, ack)


@dataclass(frozen=True, slots=True)
class TrackCommand:
    """A listener wants another track."""

    track: str


@dataclass(frozen=True, slots=True)
class EndCommand:
    """A publisher has said everything."""


def parse_command(text: str) -> TrackCommand | EndCommand:
    """Read a JSON message from a client.

    Raises:
        ProtocolError: if it is not one that there is.
    """
    if len(text) > MAX_TEXT:
        raise ProtocolError(TOO_BIG, f"A JSON message may have {MAX_TEXT} characters at most")
    match parse_message(text):
        case {"type": "track", "track": str(track)}:
            return TrackCommand(track)
        case {"type": "end"}:
            return EndCommand()
    raise _bad('A JSON message must be {"type":"track","track":NAME} or {"type":"end"}')


def parse_message(text: str) -> dict[str, Any]:
    """Read a JSON message, which is always an object.

    Raises:
        ProtocolError: if it is anything else.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad("A text message must be JSON") from None
    if not isinstance(message, dict):
        raise _bad("A text message must be a JSON object")
    return message


def message(type_: str, **fields: Any) -> str:
    """A JSON message of the server."""
    return json.dumps({"type": type_, **fields}, ensure_ascii=False, separators=(",", ":"))


def _bad(reason: str) -> ProtocolError:
    return ProtocolError(BAD_REQUEST, reason)


def _format(query: Mapping[str, str]) -> Format:
    name = query.get("format", FORMATS[0])
    for known in FORMATS:
        if name == known:
            return known
    raise _bad(f"format is '{name[:20]}', but must be one of {', '.join(FORMATS)}")


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = query.get(name, default)
    if value not in choices and name in query:
        raise _bad(f"{name} is '{value[:20]}', but must be one of {', '.join(choices)}")
    return value


def _integer(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not low <= value <= high:
        raise _bad(f"{name} is '{text[:20]}', but must be a whole number from {low} to {high}")
    return value


def _checked(encoding: Encoding) -> Encoding:
    if encoding.format == "opus" and encoding.rate != 48_000:
        raise _bad(f"rate is {encoding.rate}, but Opus always runs at 48000")
    return encoding
