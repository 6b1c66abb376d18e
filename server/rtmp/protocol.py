"""RTMP as a server of publishers speaks it, without any I/O: bytes in, bytes and events out."""

from __future__ import annotations

import os
from dataclasses import dataclass

from server.rtmp import amf0, flv
from server.rtmp.chunks import Bytes, ChunkReader, Message, RtmpError, Steps, chunk
from server.rtmp.commands import (
    COMMAND,
    CONTROL_CHANNEL,
    USER_CONTROL,
    WINDOW,
    WINDOW_SIZE,
    Commands,
    End,
    Publish,
)

ACKNOWLEDGEMENT, AMF3_DATA, AMF3_COMMAND, AGGREGATE = 3, 15, 17, 22
"""Message types."""

PING_REQUEST, PING_RESPONSE = 6, 7
"""User control events."""

HANDSHAKE_BYTES = 1536
"""Bytes in each part of the handshake but the version."""

PREAMBLE_BYTES = 16 << 10
"""Bytes before publishing; beside the handshake's three, encoders send about one kilobyte."""

PREAMBLE_MESSAGES = 64
"""Messages before publishing; encoders send about ten."""

PENDING_BYTES = 256 << 10
"""Bytes held while the application decides."""


@dataclass(frozen=True, slots=True)
class Media:
    """The next bytes of an FLV stream: its header once, then whole tags.

    Attributes:
        flv: the bytes.
        begins: whether they begin another stream, as what is published has changed.
    """

    flv: bytes
    begins: bool = False


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
        self._commands = Commands(self._out)
        self._events: list[Event] = []
        self._received = self._acknowledged = 0
        self._window = WINDOW
        self._deciding = False
        self._accepted = False
        self._finished = False
        self._writer = flv.FlvWriter()
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
        self._decide()
        self._commands.accept()
        self._accepted = True
        self._events.append(Media(flv.HEADER))
        self._step()

    def refuse(self, description: str) -> None:
        """Turn the peer down; close the connection after sending what is to be sent.

        Args:
            description: a sentence that the publisher's user may see.
        """
        self._decide()
        self._commands.refuse(description)
        self._finish()

    def _decide(self) -> None:
        if not self._deciding:
            raise RuntimeError("there is no publisher to decide about")
        self._deciding = False

    def _finish(self) -> None:
        self._finished = True
        self._deciding = False
        self._data.clear()

    def _step(self) -> None:
        """Go on with what is there, as far as it reaches."""
        try:
            next(self._steps, None)
            self._check_patience()
        except RtmpError:
            self._finish()
            raise

    def _check_patience(self) -> None:
        """Bound what is held for peers that were not accepted."""
        if self._finished or self._accepted:
            return
        if self._deciding and len(self._data) > PENDING_BYTES:
            raise RtmpError("a publisher sends on without waiting for the answer")
        if not self._deciding and self._received > PREAMBLE_BYTES:
            raise RtmpError(f"nothing was published in the first {PREAMBLE_BYTES} bytes")

    def _run(self) -> Steps[None]:
        yield from self._shake_hands()
        messages = 0
        while not self._finished:
            message = yield from self._chunks.message()
            messages += 1
            if not self._accepted and messages > PREAMBLE_MESSAGES:
                raise RtmpError(f"nothing was published in {PREAMBLE_MESSAGES} messages")
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
        asked = yield from self._data.take(HANDSHAKE_BYTES)
        # Four zero bytes after the time say that we do not know the handshake with digests:
        # clients that sent one then content themselves with this.
        self._out += b"\x03" + bytes(8) + os.urandom(HANDSHAKE_BYTES - 8) + asked
        yield from self._data.take(HANDSHAKE_BYTES)
        self.handshaken = True

    def _handle(self, message: Message) -> None:
        kind, body = message.kind, message.body
        if kind in (flv.AUDIO, flv.VIDEO):
            self._media(kind, message.timestamp, body)
        elif kind in (flv.SCRIPT, AMF3_DATA):
            self._metadata(message.timestamp, body[1:] if kind == AMF3_DATA else body)
        elif kind in (COMMAND, AMF3_COMMAND):
            # AMF3 commands begin with a zero byte and go on in AMF0.
            self._command(message.stream, body[1:] if kind == AMF3_COMMAND else body)
        elif kind == WINDOW_SIZE and len(body) >= 4:
            self._window = int.from_bytes(body[:4], "big") or WINDOW
        elif kind == USER_CONTROL and body[:2] == PING_REQUEST.to_bytes(2, "big"):
            self._control(USER_CONTROL, PING_RESPONSE.to_bytes(2, "big") + body[2:6])
        elif kind == AGGREGATE:
            self._aggregate(message.timestamp, body)

    def _media(self, kind: int, timestamp: int, body: bytes) -> None:
        if not self._accepted:
            raise RtmpError("media came before anything was published")
        if body:
            tags = self._writer.tags(kind, timestamp, body)
            self._events.extend(Media(data, begins) for data, begins in tags)

    def _aggregate(self, timestamp: int, body: bytes) -> None:
        """Several messages in one, as tags of FLV; their times count from that of the first."""
        at, first = 0, None
        while len(body) - at >= flv.TAG_HEADER_BYTES:
            kind = body[at] & 0x1F
            size = int.from_bytes(body[at + 1 : at + 4], "big")
            time = int.from_bytes(body[at + 7 : at + 8] + body[at + 4 : at + 7], "big")
            first = time if first is None else first
            at += flv.TAG_HEADER_BYTES
            if at + size > len(body):
                raise RtmpError("an aggregate message is damaged")
            if kind in (flv.AUDIO, flv.VIDEO, flv.SCRIPT):
                moved = (timestamp + time - first) & 0xFFFFFFFF
                self._handle(Message(kind, 0, moved, body[at : at + size]))
            at += size + flv.TAG_SIZE_BYTES

    def _metadata(self, timestamp: int, body: bytes) -> None:
        name, rest = amf0.decode_first(body)
        if name != "@clearDataFrame":
            self._media(flv.SCRIPT, timestamp, rest if name == "@setDataFrame" else body)

    def _command(self, stream: int, body: bytes) -> None:
        event = self._commands.invoke(stream, body)
        if event is not None:
            self._events.append(event)
        if isinstance(event, Publish):
            self._deciding = True
        elif isinstance(event, End):
            self._finish()

    def _control(self, kind: int, body: bytes) -> None:
        self._out += chunk(CONTROL_CHANNEL, kind, 0, body)
