"""The commands by which an encoder comes to publish, and our answers."""

from __future__ import annotations

from dataclasses import dataclass

from server.rtmp import amf0
from server.rtmp.chunks import SENT_CHUNK_SIZE, SET_CHUNK_SIZE, RtmpError, chunk

USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH, COMMAND = 4, 5, 6, 20
"""Message types."""

STREAM_BEGIN = 0
"""A user control event."""

WINDOW = 2_500_000
"""Bytes after which either side tells the other that they have arrived."""

NOTHING: list[amf0.Value] = [None] * 4
"""What arguments are that a command leaves out."""

CONTROL_CHANNEL, COMMAND_CHANNEL, STREAM_CHANNEL = 2, 3, 5


@dataclass(frozen=True, slots=True)
class Publish:
    """The peer asks to publish; answer with ``accept`` or ``refuse``.

    Attributes:
        app: first part of the path.
        key: the stream's key, without the query.
        query: what followed a ``?`` in the key, or in the app.
    """

    app: str
    key: str
    query: str


@dataclass(frozen=True, slots=True)
class End:
    """The peer said that it has finished."""


class Commands:
    """Where a connection is between ``connect`` and the end.

    Args:
        out: our answers are appended to it.
    """

    def __init__(self, out: bytearray) -> None:
        self._out = out
        self._app: str | None = None
        self._query = ""
        self._streams = 0
        self._announced = False
        self._stream = 0
        self._asked = False

    def invoke(self, stream: int, body: bytes) -> Publish | End | None:
        """Act on one command, sent on a message stream.

        Raises:
            RtmpError: for a command that has no place here.
            ValueError: if it is not AMF0.
        """
        name, transaction, *arguments = amf0.decode(body) + NOTHING
        if not isinstance(transaction, float):
            transaction = 0.0
        if name == "connect":
            self._connect(transaction, arguments[0])
        elif self._app is None:
            raise RtmpError("a command came before connect")
        elif name == "createStream":
            self._streams += 1
            self._reply(transaction, None, float(self._streams))
        elif name == "publish":
            return self._publish(self._app, stream, arguments[1])
        elif name in ("FCUnpublish", "deleteStream", "closeStream"):
            # Some encoders delete a stream of an earlier run before they publish.
            return End() if self._asked else None
        elif name == "play":
            raise RtmpError("there is nothing to play here: this server takes publishers only")
        elif name in ("releaseStream", "FCPublish", "_checkbw"):
            self._announced |= name == "FCPublish"
            self._reply(transaction, None, None)
        return None

    def accept(self) -> None:
        """Tell the peer that it may publish."""
        status = _status("status", "Start", "Publishing may begin.")
        if self._announced:
            self._tell("onFCPublish", status)
        begin = STREAM_BEGIN.to_bytes(2, "big") + self._stream.to_bytes(4, "big")
        self._control(USER_CONTROL, begin)
        self._tell("onStatus", status)

    def refuse(self, description: str) -> None:
        """Tell the peer that it may not, and why."""
        self._tell("onStatus", _status("error", "BadName", description[:500]))

    def _connect(self, transaction: float, command: amf0.Value) -> None:
        app = command.get("app") if isinstance(command, dict) else None
        if not isinstance(app, str):
            raise RtmpError("connect names no app")
        path, _, self._query = app.partition("?")
        self._app = path.strip("/")
        self._control(WINDOW_SIZE, WINDOW.to_bytes(4, "big"))
        self._control(PEER_BANDWIDTH, WINDOW.to_bytes(4, "big") + b"\x02")
        self._control(SET_CHUNK_SIZE, SENT_CHUNK_SIZE.to_bytes(4, "big"))
        self._reply(
            transaction,
            {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0},
            {
                "level": "status",
                "code": "NetConnection.Connect.Success",
                "description": "Connected.",
                "objectEncoding": 0.0,
            },
        )

    def _publish(self, app: str, stream: int, name: amf0.Value) -> Publish:
        if self._asked:
            raise RtmpError("a connection publishes one stream")
        if not isinstance(name, str):
            raise RtmpError("publish names no stream")
        self._asked = True
        self._stream = stream
        key, _, query = name.partition("?")
        return Publish(app, key, query or self._query)

    def _reply(self, transaction: float, *values: amf0.Value) -> None:
        body = amf0.encode(["_result", transaction, *values])
        self._out += chunk(COMMAND_CHANNEL, COMMAND, 0, body)

    def _tell(self, name: str, status: amf0.Value) -> None:
        body = amf0.encode([name, 0.0, None, status])
        self._out += chunk(STREAM_CHANNEL, COMMAND, self._stream, body)

    def _control(self, kind: int, body: bytes) -> None:
        self._out += chunk(CONTROL_CHANNEL, kind, 0, body)


def _status(level: str, code: str, description: str) -> dict[str, amf0.Value]:
    return {
        "level": level,
        "code": f"NetStream.Publish.{code}",
        "description": description,
    }
