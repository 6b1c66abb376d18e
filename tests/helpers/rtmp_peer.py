"""The publisher's side of RTMP, as bytes: what encoders send, and how they may send it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from server.rtmp import amf0

AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20

C0C1 = b"\x03" + bytes(8) + bytes(range(256)) * 5 + bytes(248)
C2 = bytes(1536)
HELLO = C0C1 + C2


@dataclass(frozen=True)
class Sent:
    """A message: chunk stream, type, message stream, time (ms) and body."""

    channel: int
    kind: int
    stream: int
    time: int
    body: bytes


def command(*values: amf0.Value, stream: int = 0, channel: int = 3) -> Sent:
    return Sent(channel, COMMAND, stream, 0, amf0.encode(values))


def control(kind: int, body: bytes) -> Sent:
    return Sent(2, kind, 0, 0, body)


class Chunker:
    """Cuts messages into chunks, with the shortest headers that the protocol allows."""

    def __init__(self, size: int = 128, *, compress: bool = True) -> None:
        self.size = size
        self._compress = compress
        self._last: dict[int, tuple[Sent, int]] = {}

    def chunks(self, message: Sent) -> list[bytes]:
        """The message's chunks in order; those of other channels may come between them."""
        form, time = self._form(message)
        extended = time.to_bytes(4, "big") if time >= 0xFFFFFF else b""
        head = min(time, 0xFFFFFF).to_bytes(3, "big")
        head += len(message.body).to_bytes(3, "big") + bytes([message.kind])
        head += message.stream.to_bytes(4, "little")
        head = head[: (11, 7, 3, 0)[form]] + extended
        parts = [message.body[i : i + self.size] for i in range(0, len(message.body), self.size)]
        parts = parts or [b""]
        again = _basic(3, message.channel) + extended
        return [
            _basic(form, message.channel) + head + parts[0],
            *(again + part for part in parts[1:]),
        ]

    def bytes(self, *messages: Sent) -> bytes:
        return b"".join(b"".join(self.chunks(message)) for message in messages)

    def _form(self, message: Sent) -> tuple[int, int]:
        last = self._last.get(message.channel)
        form, time = 0, message.time
        if last is not None and self._compress:
            before, sent_time = last
            if message.stream == before.stream and message.time >= before.time:
                form, time = 1, message.time - before.time
                if (message.kind, len(message.body)) == (before.kind, len(before.body)):
                    form = 3 if time == sent_time else 2
        self._last[message.channel] = (message, time)
        return form, time


def interleaved(chunker: Chunker, messages: list[Sent], order: random.Random) -> bytes:
    """The messages of each channel in order, chunks of different channels mixed at random."""
    queues: dict[int, list[bytes]] = {}
    for message in messages:
        queues.setdefault(message.channel, []).extend(chunker.chunks(message))
    out = bytearray()
    while queues:
        channel = order.choice(sorted(queues))
        out += queues[channel].pop(0)
        if not queues[channel]:
            del queues[channel]
    return bytes(out)


def introduction(app: str = "live", key: str = "KEY") -> list[Sent]:
    """The commands by which FFmpeg and OBS come to publish."""
    return [
        command("connect", 1.0, {"app": app, "type": "nonprivate", "tcUrl": "rtmp://h/live"}),
        command("releaseStream", 2.0, None, key),
        command("FCPublish", 3.0, None, key),
        command("createStream", 4.0, None),
        command("publish", 5.0, None, key, "live", stream=1, channel=4),
    ]


def _basic(form: int, channel: int) -> bytes:
    if channel < 64:
        return bytes([form << 6 | channel])
    if channel < 320:
        return bytes([form << 6, channel - 64])
    return bytes([form << 6 | 1]) + (channel - 64).to_bytes(2, "little")
