"""RTMP's chunk layer: bytes in, whole messages out, and messages into bytes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeVar

from stream.errors import LivedubError

T = TypeVar("T")

Steps = Generator[None, None, T]
"""A computation that yields whenever it needs more bytes."""

SET_CHUNK_SIZE, ABORT = 1, 2
AUDIO, VIDEO, AGGREGATE = 8, 9, 22

MAX_MEDIA = 4 << 20
"""Bytes in one audio, video or aggregate message: a keyframe at 100 Mbit/s has less."""

MAX_OTHER = 64 << 10
"""Bytes in any other message."""

MAX_UNFINISHED = 2 * MAX_MEDIA
"""Bytes of messages begun and not ended, over all chunk streams."""

MAX_CHUNK_STREAMS = 32
"""Encoders use four or so."""

SENT_CHUNK_SIZE = 4096
"""What we cut our own messages at; none of them is longer."""

NEXT_MS = 60_000
"""Ms by which an extended time may differ from the one that it takes the place of."""

EXTENDED = 0xFFFFFF
"""A time field that says: the time is in the four bytes after the header."""


class RtmpError(LivedubError):
    """The peer does not speak RTMP as it should; the message says what is wrong."""


class Bytes:
    """Bytes received and not yet used."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._position = 0

    def __len__(self) -> int:
        return len(self._data) - self._position

    def feed(self, data: bytes) -> None:
        """Append what was received."""
        del self._data[: self._position]
        self._position = 0
        self._data += data

    def take(self, count: int) -> Steps[bytes]:
        """The next ``count`` bytes, once they are there."""
        while len(self) < count:
            yield
        start = self._position
        self._position += count
        return bytes(self._data[start : self._position])

    def peek(self, count: int) -> Steps[bytes]:
        """The next ``count`` bytes, once they are there; they stay."""
        while len(self) < count:
            yield
        return bytes(self._data[self._position : self._position + count])

    def number(self, width: int) -> Steps[int]:
        """The next big-endian number."""
        return int.from_bytes((yield from self.take(width)), "big")

    def skip(self, expected: bytes) -> bool:
        """Pass over ``expected`` if it comes next, and say whether it did."""
        if not self._data.startswith(expected, self._position):
            return False
        self._position += len(expected)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._data.clear()
        self._position = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A message of any type.

    Attributes:
        kind: type number, such as 8 for audio.
        stream: message stream.
        timestamp: ms, of 32 bits.
        body: its bytes.
    """

    kind: int
    stream: int
    timestamp: int
    body: bytes


@dataclass(slots=True)
class _ChunkStream:
    """What the headers of one chunk stream have said so far."""

    kind: int = 0
    stream: int = 0
    length: int = 0
    timestamp: int = 0
    sent_time: int = 0  # as the last header had it, absolute or a difference
    extended: bool = False
    body: bytearray = field(default_factory=bytearray)
    begun: bool = False


class ChunkReader:
    """Puts messages together from interleaved chunks.

    Args:
        data: what the peer sends.
    """

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._size = 128
        self._streams: dict[int, _ChunkStream] = {}
        self.unfinished = 0
        """Bytes held of messages that are not complete."""

    def message(self) -> Steps[Message]:
        """The next message that is not about chunks.

        Raises:
            RtmpError: for headers that contradict each other, and beyond any limit.
        """
        while True:
            message = yield from self._chunk()
            if message is None:
                continue
            if message.kind == SET_CHUNK_SIZE:
                self._size = _parameter(message)
                if not 0 < self._size < 1 << 31:
                    raise RtmpError(f"a chunk size of {self._size} is not possible")
            elif message.kind == ABORT:
                aborted = self._streams.get(_parameter(message))
                if aborted is not None:
                    self._drop(aborted)
            else:
                return message

    def _chunk(self) -> Steps[Message | None]:
        first = yield from self._data.number(1)
        form, number, more = first >> 6, first & 63, b""
        if number < 2:
            more = yield from self._data.take(number + 1)
            number = 64 + int.from_bytes(more, "little")
        chunks = self._stream(number, form)
        if form < 3:
            if chunks.begun:
                raise RtmpError("a message began before the one before it had ended")
            yield from self._header(chunks, form)
            if chunks.extended:
                chunks.sent_time = yield from self._data.number(4)
        elif chunks.extended:
            yield from self._extended_again(chunks)
        if not chunks.begun:
            chunks.begun = True
            origin = 0 if form == 0 else chunks.timestamp
            chunks.timestamp = (origin + chunks.sent_time) & 0xFFFFFFFF
        return (yield from self._body(chunks, bytes([0xC0 | first]) + more))

    def _extended_again(self, chunks: _ChunkStream) -> Steps[None]:
        """Pass over the extended time where it is repeated; some encoders leave it out.

        Four bytes that are not the time are payload. RootEncoder leaves it out of all, and OBS
        left it out of some chunks until 2024; SRS and others tell it like this.
        """
        if not chunks.begun:
            again = int.from_bytes((yield from self._data.peek(4)), "big")
            if 0 <= again - chunks.sent_time < NEXT_MS:
                chunks.sent_time = again
                yield from self._data.take(4)
            return
        for time in {chunks.sent_time, chunks.timestamp}:
            expected = time.to_bytes(4, "big")
            # Byte by byte: where the first of them differ there may not be four.
            for count in range(1, 5):
                if not expected.startswith((yield from self._data.peek(count))):
                    break
            else:
                yield from self._data.take(4)
                return

    def _stream(self, number: int, form: int) -> _ChunkStream:
        chunks = self._streams.get(number)
        if chunks is None:
            # OBS begins its control stream with form 1, where form 0 would be due.
            if form > 1:
                raise RtmpError("a chunk refers to a header that was never sent")
            if len(self._streams) >= MAX_CHUNK_STREAMS:
                raise RtmpError(f"more than {MAX_CHUNK_STREAMS} chunk streams are open")
            chunks = self._streams[number] = _ChunkStream()
        return chunks

    def _header(self, chunks: _ChunkStream, form: int) -> Steps[None]:
        chunks.sent_time = yield from self._data.number(3)
        if form < 2:
            chunks.length = yield from self._data.number(3)
            chunks.kind = yield from self._data.number(1)
        if form == 0:
            chunks.stream = int.from_bytes((yield from self._data.take(4)), "little")
        limit = MAX_MEDIA if chunks.kind in (AUDIO, VIDEO, AGGREGATE) else MAX_OTHER
        if chunks.length > limit:
            raise RtmpError(
                f"a message of type {chunks.kind} has {chunks.length} bytes: {limit} is the limit"
            )
        chunks.extended = chunks.sent_time == EXTENDED

    def _body(self, chunks: _ChunkStream, again: bytes) -> Steps[Message | None]:
        while True:
            part = min(self._size, chunks.length - len(chunks.body))
            if self.unfinished + part > MAX_UNFINISHED:
                raise RtmpError(f"unfinished messages hold more than {MAX_UNFINISHED} bytes")
            chunks.body += yield from self._data.take(part)
            self.unfinished += part
            if len(chunks.body) == chunks.length:
                break
            # Most often the same message goes on at once: FFmpeg cuts it every 128 bytes.
            if chunks.extended or not self._data.skip(again):
                return None
        body = bytes(chunks.body)
        self._drop(chunks)
        return Message(chunks.kind, chunks.stream, chunks.timestamp, body)

    def _drop(self, chunks: _ChunkStream) -> None:
        self.unfinished -= len(chunks.body)
        chunks.body = bytearray()
        chunks.begun = False


def chunk(channel: int, kind: int, stream: int, body: bytes) -> bytes:
    """A message of ours as one chunk with a full header and no time.

    Args:
        channel: chunk stream, 2 to 63.
        kind: message type.
        stream: message stream.
        body: at most ``SENT_CHUNK_SIZE`` bytes.
    """
    head = bytes([channel, 0, 0, 0]) + len(body).to_bytes(3, "big") + bytes([kind])
    return head + stream.to_bytes(4, "little") + body


def _parameter(message: Message) -> int:
    """The number that a control message begins with."""
    if len(message.body) < 4:
        raise RtmpError(f"a control message of type {message.kind} is cut short")
    return int.from_bytes(message.body[:4], "big")
