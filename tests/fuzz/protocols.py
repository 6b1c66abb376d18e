"""Doors of protocols that are our own to parse."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qsl

from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtcpPacket, RtpPacket

from server.addresses.rtsp_answers import RtspAnswers
from server.rtmp import amf0 as amf
from server.rtmp.protocol import HANDSHAKE_BYTES, Publish, RtmpProtocol
from server.webrtc.peer import read_offer
from server.webrtc.rtp_pictures import PictureAssembler
from server.websocket.frames import Encoding, decode_frame, raw_frame
from server.websocket.requests import ListenRequest, PublishRequest, parse_command
from server.websocket.source import _PublishedSound
from stream.media.annexb import AnnexB


def rtmp(data: bytes) -> None:
    protocol = RtmpProtocol()
    greeted = b"\x03" + bytes(2 * HANDSHAKE_BYTES)
    for part in (greeted, *(data[at : at + 997] for at in range(0, len(data), 997))):
        protocol.receive_data(part)
        protocol.data_to_send()
        for event in protocol.events_received():
            if isinstance(event, Publish):
                protocol.accept()
        assert protocol.buffered < 32 << 20


def amf0(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        amf.decode(data)


def rtsp(data: bytes) -> None:
    answers = RtspAnswers(lambda location: location)
    for at in range(0, len(data), 61):
        answers(data[at : at + 61])


_ENCODINGS = (
    Encoding("pcm_s16le", 16_000, 1),
    Encoding("pcm_f32le", 48_000, 2),
    Encoding("opus", 48_000, 2),
)


def websocket(data: bytes) -> None:
    if not data:
        return
    kind, rest = data[0] % 6, data[1:]
    if kind < 3:
        encoding = _ENCODINGS[kind]
        sound = _PublishedSound(encoding)
        for message in rest.split(b"#####"):
            raw = message[:1] == b"r" and encoding.format != "opus"
            sound.add((raw_frame if raw else decode_frame)(message, encoding))
        sound.flush()
        return
    text = rest.decode(errors="replace")
    query = dict(parse_qsl(text, keep_blank_values=True))
    (
        lambda: parse_command(text),
        lambda: ListenRequest.parse(query),
        lambda: PublishRequest.parse(query),
    )[kind - 3]()


def sdp(data: bytes) -> None:
    read_offer(data.decode(errors="replace"), most_sounds=4, reach_out=bool(len(data) % 2))


_CODECS = [
    RTCRtpCodecParameters(f"video/{name}", 90_000, payloadType=96) for name in ("H264", "VP8")
]


def rtp(data: bytes) -> None:
    """Packets, each behind its length in two bytes, as publishers of pictures send them."""
    for codec in _CODECS:
        assembler, annexb, at = PictureAssembler(), AnnexB("h264"), 0
        while at + 2 <= len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            raw, at = data[at + 2 : at + 2 + length], at + 2 + length
            with contextlib.suppress(ValueError):  # aiortc drops them
                RtcpPacket.parse(raw)
            try:
                packet = RtpPacket.parse(raw)
            except ValueError:
                continue
            picture = assembler.add(packet, codec)
            if picture is not None and picture.codec == "h264":
                annexb.convert(picture.data, key=picture.key)
