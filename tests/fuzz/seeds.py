"""Bytes to begin with: what honest peers send, small. Each imports what it needs, and no more."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "config.yaml"

PLAYLIST = b"""#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:1
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x00000000000000000000000000000001
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI="i.mp4",BYTERANGE="700@0"
#EXTINF:1.0,
#EXT-X-BYTERANGE:1000@0
a.ts
#EXT-X-DISCONTINUITY
#EXTINF:1.0,
b.ts
#EXT-X-ENDLIST
"""

MASTER = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",LANGUAGE="de",DEFAULT=YES,URI="a.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=100000,AUDIO="a",CODECS="avc1.42c00b,mp4a.40.2"
v.m3u8
#EXT-X-ENDLIST
"""


@functools.cache
def _made(suffix: str) -> bytes:
    from tests.helpers.streams import small_source

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        return small_source(path, length=0.4, gop=5).read_bytes()


def rtmp() -> Iterator[bytes]:
    from tests.helpers.rtmp_peer import AUDIO, VIDEO, Chunker, Sent, introduction

    sound = Sent(4, AUDIO, 1, 0, b"\xaf\0\x12\x10"), Sent(4, AUDIO, 1, 21, b"\xaf\1" + bytes(300))
    picture = (
        Sent(5, VIDEO, 1, 40, b"\x17\0\0\0\0\1B\xc0\x0b"),
        Sent(5, VIDEO, 1, 80, b"\x27\1\0\0\0x"),
    )
    yield Chunker().bytes(*introduction(), *sound, *picture)
    yield Chunker(60).bytes(*introduction())


def amf0() -> Iterator[bytes]:
    from server.rtmp import amf0 as amf

    yield amf.encode(["connect", 1.0, {"app": "live", "x": [None, True, 2.0]}, None])


def flv() -> Iterator[bytes]:
    yield _made(".flv")


def mpegts() -> Iterator[bytes]:
    yield _made(".ts")


def hls() -> Iterator[bytes]:
    segment = _made(".ts")[: 188 * 40]
    yield PLAYLIST + b"#####" + b"#####".join([b"k" * 16, segment, segment])
    yield MASTER + b"#####" + PLAYLIST + b"#####" + PLAYLIST + b"#####" + segment


def rtsp() -> Iterator[bytes]:
    body = b"v=0\r\n"
    yield b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\n" + body + b"$\0\0\x04abcd"
    yield b"RTSP/1.0 302 Found\r\nLocation: rtsp://example.org/x\r\nCSeq: 2\r\n\r\n"


def websocket() -> Iterator[bytes]:
    from server.websocket.frames import Frame, encode_frame

    for kind, size in ((0, 2), (1, 8)):
        frame = Frame(("pcm_s16le", "pcm_f32le")[kind], 480 * kind, 20, bytes(20 * size))
        yield bytes([kind]) + b"#####".join([encode_frame(frame)] * 2)
    yield bytes([2]) + encode_frame(Frame("opus", 0, 960, b"\xfc\xff\xfe"))
    yield b'\x03{"type": "track", "track": "pt", "voice": true}'
    yield b"\x04track=pt&format=opus&rate=48000&channels=2&events=1&from=100"
    yield b"\x05format=pcm_s16le&rate=16000&channels=1&ack=1&raw=0"


def http() -> Iterator[bytes]:
    heads = b"Host: localhost\r\nOrigin: http://localhost\r\n"
    body = b'{"id": "x", "source": "publish", "targets": ["pt"], "settings": {"fit.max_rate": 1.2}}'
    yield b"GET /sessions HTTP/1.1\r\n" + heads + b"\r\n"
    yield (
        b"GET /sessions/live/hls/master.m3u8?token=x HTTP/1.1\r\nRange: bytes=0-\r\n"
        + heads
        + b"\r\n"
    )
    length = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n".encode()
    yield b"POST /sessions HTTP/1.1\r\n" + heads + length + body
    yield b"DELETE /sessions/x HTTP/1.1\r\nAuthorization: Bearer x\r\n" + heads + b"\r\n"
    yield (
        b"POST /sessions/live/whep HTTP/1.1\r\nContent-Type: application/sdp\r\n"
        + heads
        + (b"Transfer-Encoding: chunked\r\n\r\n4\r\nv=0\r\n\r\n0\r\n\r\n")
    )
    yield b"GET /sessions/live/listen HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + (
        heads + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )


@functools.cache
def _offer() -> str:
    from tests.helpers.rtc import Viewer

    async def offer() -> str:
        viewer = Viewer()
        try:
            return await viewer.offer()
        finally:
            await viewer.close()

    return asyncio.run(offer())


def sdp() -> Iterator[bytes]:
    yield _offer().encode()


def rtp() -> Iterator[bytes]:
    def packet(number: int, payload: bytes, marker: int = 0x80) -> bytes:
        head = bytes([0x80, 96 | marker]) + number.to_bytes(2, "big") + bytes(4) + b"\0\0\0\1"
        return (len(head) + len(payload)).to_bytes(2, "big") + head + payload

    sets = b"\x78\0\x04\x67\x42\xc0\x0b\0\x02\x68\xce"  # STAP-A
    yield packet(1, sets, 0) + packet(2, b"\x7c\x85\x88\x80") + packet(3, b"\x7c\x45\x01")
    yield packet(1, b"\x10\0\0\0\x9d\x01\x2a\x40\0\x30\0")
    report = b"\x80\xc8\0\x06\0\0\0\1" + bytes(20)
    yield len(report).to_bytes(2, "big") + report


def annexb() -> Iterator[bytes]:
    sets = b"\x01\x42\xc0\x0b\xff\xe1\0\x04\x67\x42\xc0\x0b\x01\0\x02\x68\xce"
    yield sets + b"#####" + b"\0\0\0\x05\x65\x88\x84\0\x33"
    yield b"#####\0\0\0\x01\x67\x42\xc0\x0b\0\0\0\x01\x68\xce\0\0\x01\x65\x88"


def confined() -> Iterator[bytes]:
    from stream.frames import PictureFormat, PicturePacket
    from stream.media.confined.records import pack_format, pack_picture

    format_ = PictureFormat("h264", b"\0\0\0\1g", 64, 64)
    yield pack_format(format_)
    yield b"".join(pack_picture(PicturePacket(format_, 0, 0, True, b"x")))
    yield b"r" + bytes(7) + b"\x10" + bytes(8)
    yield b"o" + bytes(16) + b'{"url": "http://x/", "options": {}}'
    yield b'{"segmented": false, "notes": []}'


def config() -> Iterator[bytes]:
    text = CONFIG.read_bytes()
    yield text
    yield b"mt: {glossary: {a: b}}\nserve: {sessions: [{id: x, targets: [de]}]}"


def glossary() -> Iterator[bytes]:
    yield b"the hard disk of the disk\nhard disk=Festplatte\ndisk=Scheibe"


def marian() -> Iterator[bytes]:
    from tests.helpers import tiny_student

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        tiny_student.write(path, tiny_student.CONFIG, tiny_student.parameters(tiny_student.CONFIG))
        yield path.read_bytes()
