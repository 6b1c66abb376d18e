"""The WebSocket protocol's queries and JSON messages, without sockets.

See docs/protocols/websocket.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.websocket.frames import (
    FORMATS,
    FURTHEST,
    TOO_BIG,
    Encoding,
    Format,
    ProtocolError,
    wrong,
)

MAX_TEXT = 4096
"""Characters of the longest JSON message that a client may send."""

NO_SOUND = "none"
"""The format of those who listen to events alone."""

SAMPLE_RATES = (48_000, 24_000, 16_000)
"""Rates at which one can listen, Hz."""


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """What a listener asks for in its URL.

    Attributes:
        track: a name, ``None`` for the first dub.
        encoding: ``channels`` is 0 where the feed's own number is wanted; ``None`` for no sound.
        events: whether transcripts and the like are sent.
        start: media time from which to go on, ticks, or ``None`` for now.
        feed: the id of the feed that ``start`` belongs to, from an earlier hello.
    """

    track: str | None
    encoding: Encoding | None
    events: bool
    start: int | None
    feed: str | None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> ListenRequest:
        """Read the query of a listen URL.

        Raises:
            ProtocolError: naming the parameter, its value and the choices.
        """
        events = _choice(query, "events", ("true", "false"), "true") == "true"
        rate = int(_choice(query, "rate", tuple(map(str, SAMPLE_RATES)), "48000"))
        channels = int(_choice(query, "channels", ("1", "2"), "0"))
        encoding = None
        if query.get("format") != NO_SOUND:
            encoding = _checked(Encoding(_format(query, (*FORMATS, NO_SOUND)), rate, channels))
        elif not events:
            raise wrong(f"format={NO_SOUND} with events=false leaves nothing to be sent")
        return cls(
            query.get("track"),
            encoding,
            events,
            _integer(query, "from", 0, FURTHEST),
            query.get("feed"),
        )


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
            raise wrong("Opus needs framing=frames: without headers only PCM can be told apart")
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
    raise wrong('A JSON message must be {"type":"track","track":NAME} or {"type":"end"}')


def parse_message(text: str) -> dict[str, Any]:
    """Read a JSON message, which is always an object.

    Raises:
        ProtocolError: if it is anything else.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise wrong("A text message must be JSON") from None
    if not isinstance(message, dict):
        raise wrong("A text message must be a JSON object")
    return message


def message(type_: str, **fields: Any) -> str:
    """A JSON message of the server."""
    return json.dumps({"type": type_, **fields}, ensure_ascii=False, separators=(",", ":"))


def _format(query: Mapping[str, str], choices: tuple[str, ...] = FORMATS) -> Format:
    name = query.get("format", FORMATS[0])
    for known in FORMATS:
        if name == known:
            return known
    raise wrong(f"format is '{name[:20]}', but must be one of {', '.join(choices)}")


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = query.get(name, default)
    if value not in choices and name in query:
        raise wrong(f"{name} is '{value[:20]}', but must be one of {', '.join(choices)}")
    return value


def _integer(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not low <= value <= high:
        raise wrong(f"{name} is '{text[:20]}', but must be a whole number from {low} to {high}")
    return value


def _checked(encoding: Encoding) -> Encoding:
    if encoding.format == "opus" and encoding.rate != 48_000:
        raise wrong(f"rate is {encoding.rate}, but Opus always runs at 48000")
    return encoding
