"""The server's side of RTMP without a socket: bytes in, events and replies out."""

from server.rtmp import amf0
from server.rtmp.chunks import (
    MAX_MEDIA,
    MAX_UNFINISHED,
)
from server.rtmp.commands import Publish
from server.rtmp.protocol import (
    Event,
    Media,
    RtmpProtocol,
)
from tests.helpers.rtmp_peer import (
    COMMAND,
    HELLO,
    Chunker,
    introduction,
)

FLV_HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"

BOUND = MAX_MEDIA + MAX_UNFINISHED + (128 << 10)
"""Nothing that a peer sends makes us hold more."""


def answer(protocol: RtmpProtocol) -> list[Event]:
    """Take events, letting every publisher in."""
    events = protocol.events_received()
    if any(isinstance(event, Publish) for event in events):
        protocol.accept()
        events += protocol.events_received()
    return events


def feed(protocol: RtmpProtocol, *parts: bytes) -> list[Event]:
    events = []
    for part in parts:
        protocol.receive_data(part)
        assert protocol.buffered <= BOUND
        events += answer(protocol)
    return events


def published(chunker: Chunker) -> RtmpProtocol:
    protocol = RtmpProtocol()
    feed(protocol, HELLO, chunker.bytes(*introduction()))
    protocol.data_to_send()
    return protocol


def media(events: list[Event]) -> bytes:
    return b"".join(event.flv for event in events if isinstance(event, Media))


def tags(flv: bytes) -> list[tuple[int, int, bytes]]:
    """Type, time and body of every tag, read as FLV's specification has it."""
    found = []
    while flv:
        if flv.startswith(FLV_HEADER):  # another stream begins
            flv = flv[len(FLV_HEADER) :]
            continue
        size = int.from_bytes(flv[1:4], "big")
        time = int.from_bytes(flv[7:8] + flv[4:7], "big")
        found.append((flv[0], time, flv[11 : 11 + size]))
        assert flv[8:11] == bytes(3)
        assert int.from_bytes(flv[11 + size : 15 + size], "big") == 11 + size
        flv = flv[15 + size :]
    return found


def replies(data: bytes) -> list[tuple[int, int, bytes]]:
    """Type, message stream and body of what the server sent: single chunks of form 0."""
    found = []
    while data:
        assert data[0] >> 6 == 0
        size = int.from_bytes(data[4:7], "big")
        found.append((data[7], int.from_bytes(data[8:12], "little"), data[12 : 12 + size]))
        data = data[12 + size :]
    return found


def commands(data: bytes) -> list[list[amf0.Value]]:
    return [amf0.decode(body) for kind, _, body in replies(data) if kind == COMMAND]
