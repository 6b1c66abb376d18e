"""RTMP as a server of publishers speaks it, without any I/O: bytes in, bytes and events out."""

from __future__ import annotations

import os
from dataclasses import dataclass

from server import amf0, flv
from server.rtmp_chunks import (
    SENT_CHUNK_SIZE,
    SET_CHUNK_SIZE,
    Bytes,
    ChunkReader,
    Message,
    RtmpError,
    Steps,
    chunk,
)

ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 3, 4, 5, 6
AMF3_DATA, AMF3_COMMAND, COMMAND, AGGREGATE = 15, 17, 20, 22

STREAM_BEGIN, PING_REQUEST, PING_RESPONSE = 0, 6, 7
"""User control events."""

HANDSHAKE = 1536
"""Bytes in each part of the handshake but the version."""

WINDOW = 2_500_000
"""Bytes after which either side tells the other that they have arrived."""

PREAMBLE = 64 << 10
"""Bytes of commands before publishing; encoders send about one kilobyte."""

PENDING = 256 << 10
"""Bytes held while the application decides."""

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
class Media:
    """The next bytes of an FLV stream: its header once, then whole tags."""

    flv: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The peer said that it has finished."""


Event = Publish | Media | End


class RtmpProtocol:
    """One connection.

    Feed what arrives to ``receive_data``; then send ``data_to_send`` and act on
    ``events_received``. After ``Publish`` nothing more is read until it is decided. After
    ``End``, a refusal or an error whatever comes is ignored.
    """

    def __init__(self) -> None:
        self._data = Bytes()
        self._chunks = ChunkReader(self._data)
        self._out = bytearray()
        self._events: list[Event] = []
        self._received = self._acknowledged = 0
        self._window = WINDOW
        self._app: str | None = None
        self._query = ""
        self._streams = 0
        self._announced = False
        self._published_on: int | None = None
        self._accepted = False
        self._finished = False
        self._steps = self._run()
        self.handshaken = False
        """Whether the peer has proved to speak RTMP."""
        next(self._steps)

    @property
    def buffered(self) -> int:
        """Bytes of the peer's that are held."""
        return len(self._data) + self._chunks.unfinished

    def receive_data(self, data: bytes) -> None:
        """Take in bytes.

        Raises:
            RtmpError: if they are not what a publisher sends; the connection is then of no
                more use.
        """
        if self._finished:
            return
        self._data.feed(data)
        self._received += len(data)
        self._step()
        self._check_patience()
        if self.handshaken and self._received - self._acknowledged >= self._window:
            self._acknowledged = self._received
            total = (self._received & 0xFFFFFFFF).to_bytes(4, "big")
            self._control(ACKNOWLEDGEMENT, total)

    def data_to_send(self) -> bytes:
        """What to send now; each byte is given out once."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def events_received(self) -> list[Event]:
        """What has happened since the last call."""
        events, self._events = self._events, []
        return events

    def accept(self) -> None:
        """Let the peer publish.

        Raises:
            RtmpError: if what it has sent meanwhile is wrong.
        """
        stream = self._decided()
        status = _status("status", "Start", "Publishing may begin.")
        if self._announced:
            self._command(stream, "onFCPublish", 0.0, None, status)
        begin = STREAM_BEGIN.to_bytes(2, "big") + stream.to_bytes(4, "big")
        self._control(USER_CONTROL, begin)
        self._command(stream, "onStatus", 0.0, None, status)
        self._accepted = True
        self._events.append(Media(flv.HEADER))
        self._step()

    def refuse(self, description: str) -> None:
        """Turn the peer down; close the connection after sending what is to be sent.

        Args:
            description: a sentence that the publisher's user may see.
        """
        stream = self._decided()
        status = _status("error", "BadName", description[:500])
        self._command(stream, "onStatus", 0.0, None, status)
        self._finish()

    @property
    def _deciding(self) -> bool:
        return self._published_on is not None and not self._accepted and not self._finished

    def _decided(self) -> int:
        if not self._deciding or self._published_on is None:
            raise RuntimeError("there is no publisher to decide about")
        return self._published_on

    def _check_patience(self) -> None:
        """Bound what is held for peers that were not accepted."""
        if self._finished or self._accepted:
            return
        if self._deciding and len(self._data) > PENDING:
            self._finish()
            raise RtmpError("a publisher sends on without waiting for the answer")
        if not self._deciding and self._received > PREAMBLE:
            self._finish()
            raise RtmpError(f"nothing was published in the first {PREAMBLE} bytes")

    def _finish(self) -> None:
        self._finished = True
        self._data.clear()

    def _step(self) -> None:
        """Go on with what is there, as far as it reaches."""
        try:
            next(self._steps, None)
        except RtmpError:
            self._finish()
            raise

    def _run(self) -> Steps[None]:
        yield from self._shake_hands()
        while not self._finished:
            message = yield from self._chunks.message()
            try:
                self._handle(message)
            except ValueError as error:
                raise RtmpError(str(error)) from error
            while self._deciding:
                yield

    def _shake_hands(self) -> Steps[None]:
        version = yield from self._data.number(1)
        if version != 3:
            raise RtmpError("this is not RTMP")
        asked = yield from self._data.take(HANDSHAKE)
        # Four zero bytes after the time say that we do not know the handshake with digests:
        # clients that sent one then content themselves with this.
        self._out += b"\x03" + bytes(8) + os.urandom(HANDSHAKE - 8) + asked
        yield from self._data.take(HANDSHAKE)
        self.handshaken = True

    def _handle(self, message: Message) -> None:
        kind, body = message.kind, message.body
        if kind in (flv.AUDIO, flv.VIDEO):
            self._media(kind, message.timestamp, body)
        elif kind in (flv.SCRIPT, AMF3_DATA):
            self._metadata(message.timestamp, body[1:] if kind == AMF3_DATA else body)
        elif kind in (COMMAND, AMF3_COMMAND):
            # AMF3 commands begin with a zero byte and go on in AMF0.
            self._invoke(message.stream, body[1:] if kind == AMF3_COMMAND else body)
        elif kind == WINDOW_SIZE and len(body) >= 4:
            self._window = int.from_bytes(body[:4], "big") or WINDOW
        elif kind == USER_CONTROL and body[:2] == PING_REQUEST.to_bytes(2, "big"):
            self._control(USER_CONTROL, PING_RESPONSE.to_bytes(2, "big") + body[2:6])
        elif kind == AGGREGATE:
            raise RtmpError("aggregate messages are not understood here")

    def _media(self, kind: int, timestamp: int, body: bytes) -> None:
        if not self._accepted:
            raise RtmpError("media came before anything was published")
        if body:
            self._events.append(Media(flv.tag(kind, timestamp, body)))

    def _metadata(self, timestamp: int, body: bytes) -> None:
        name, rest = amf0.decode_first(body)
        if name == "@clearDataFrame":
            return
        self._media(flv.SCRIPT, timestamp, rest if name == "@setDataFrame" else body)

    def _invoke(self, stream: int, body: bytes) -> None:
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
            self._publish(stream, arguments)
        elif name in ("FCUnpublish", "deleteStream", "closeStream"):
            # Some encoders delete a stream of an earlier run before they publish.
            if self._accepted:
                self._events.append(End())
                self._finish()
        elif name == "play":
            raise RtmpError("there is nothing to play here: this server takes publishers only")
        elif name in ("releaseStream", "FCPublish", "_checkbw"):
            self._announced |= name == "FCPublish"
            self._reply(transaction, None, None)

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

    def _publish(self, stream: int, arguments: list[amf0.Value]) -> None:
        if self._published_on is not None:
            raise RtmpError("a connection publishes one stream")
        name = arguments[1]
        if not isinstance(name, str):
            raise RtmpError("publish names no stream")
        key, _, query = name.partition("?")
        assert self._app is not None
        self._published_on = stream
        self._events.append(Publish(self._app, key, query or self._query))

    def _reply(self, transaction: float, *values: amf0.Value) -> None:
        body = amf0.encode(["_result", transaction, *values])
        self._out += chunk(COMMAND_CHANNEL, COMMAND, 0, body)

    def _command(self, stream: int, *values: amf0.Value) -> None:
        self._out += chunk(STREAM_CHANNEL, COMMAND, stream, amf0.encode(values))

    def _control(self, kind: int, body: bytes) -> None:
        self._out += chunk(CONTROL_CHANNEL, kind, 0, body)


def _status(level: str, code: str, description: str) -> dict[str, amf0.Value]:
    return {
        "level": level,
        "code": f"NetStream.Publish.{code}",
        "description": description,
    }
