"""What is relied on of aiortc beside its public interface; an upgrade that breaks it fails here."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiortc
import av
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDtlsTransport,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
)
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    is_rtcp,
)
from aiortc.sdp import SessionDescription

from server.webrtc import aiortc_private
from server.webrtc.aiortc_private import (
    TransportFilter,
    divert,
    negotiated_codecs,
    own_ssrc,
    send_rtcp,
    set_stream,
)
from tests.helpers.rtc import until

WEBRTC = Path(aiortc_private.__file__).parent

CHANGED = (
    f"aiortc {aiortc.__version__} is not as server/webrtc/aiortc_private.py needs it; read its new "
    "source, mend that module, then this test. What has changed: "
)


class Silence(MediaStreamTrack):
    """Silent Opus, 20 ms a packet."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0

    async def recv(self) -> Any:
        await asyncio.sleep(0.005)
        packet = av.Packet(b"\xfc\xff\xfe")
        packet.pts, packet.time_base = 960 * self._sent, Fraction(1, 48_000)
        self._sent += 1
        return packet


class Recorder(TransportFilter):
    """Keeps what a sender sends."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self.sent: list[bytes] = []

    async def filter_sent(self, data: bytes) -> None:
        self.sent.append(data)
        await super().filter_sent(data)


class Loopback:
    """One peer that sends a sound and one that receives it."""

    def __init__(self) -> None:
        configuration = RTCConfiguration(iceServers=[])
        self.sending = RTCPeerConnection(configuration)
        self.receiving = RTCPeerConnection(configuration)
        self.outgoing: RTCRtpTransceiver = self.sending.addTransceiver(
            Silence(), direction="sendonly"
        )
        self.incoming: RTCRtpTransceiver = self.receiving.addTransceiver(
            "audio", direction="recvonly"
        )

    async def offer(self) -> SessionDescription:
        await self.sending.setLocalDescription(await self.sending.createOffer())
        return SessionDescription.parse(self.sending.localDescription.sdp)

    async def answer(self) -> None:
        await self.receiving.setRemoteDescription(self.sending.localDescription)
        await self.receiving.setLocalDescription(await self.receiving.createAnswer())

    async def connect(self) -> None:
        await self.sending.setRemoteDescription(self.receiving.localDescription)


@contextlib.asynccontextmanager
async def loopback() -> AsyncIterator[Loopback]:
    pair = Loopback()
    try:
        yield pair
    finally:
        await pair.sending.close()
        await pair.receiving.close()


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (RTCRtpReceiver, "_handle_rtp_packet", ["self", "packet", "arrival_time_ms"]),
        (RTCRtpReceiver, "_handle_rtcp_packet", ["self", "packet"]),
        (RTCDtlsTransport, "_send_rtp", ["self", "data"]),
    ],
)
def test_methods_are_there(owner: type, name: str, parameters: list[str]) -> None:
    method = getattr(owner, name, None)
    assert method is not None, f"{CHANGED}{owner.__name__}.{name} is gone"
    assert inspect.iscoroutinefunction(method), f"{CHANGED}{owner.__name__}.{name} is not async"
    found = list(inspect.signature(method).parameters)
    assert found == parameters, f"{CHANGED}{owner.__name__}.{name} takes {found}"


async def test_attributes_are_there() -> None:
    async with loopback() as pair:
        for owner, name, kind in [
            (pair.outgoing, "_codecs", list),
            (pair.outgoing.sender, "_ssrc", int),
            (pair.outgoing.sender, "_stream_id", str),
        ]:
            known = f"{CHANGED}{type(owner).__name__}.{name} is"
            assert hasattr(owner, name), f"{known} gone"
            assert isinstance(getattr(owner, name), kind), f"{known} no {kind.__name__}"


async def test_what_is_negotiated_is_what_the_description_says() -> None:
    async with loopback() as pair:
        assert negotiated_codecs(pair.incoming) == [], f"{CHANGED}codecs before an offer"
        set_stream(pair.outgoing.sender, "a-stream-of-its-own")
        (sound,) = (await pair.offer()).media
        assert [s.ssrc for s in sound.ssrc] == [own_ssrc(pair.outgoing.sender)], (
            f"{CHANGED}the offer has another SSRC than the sender"
        )
        assert (sound.msid or "").split()[0] == "a-stream-of-its-own", (
            f"{CHANGED}setting a sender's stream does not change the offer"
        )
        await pair.answer()
        (sound,) = SessionDescription.parse(pair.receiving.localDescription.sdp).media
        assert negotiated_codecs(pair.incoming) == sound.rtp.codecs, (
            f"{CHANGED}a transceiver's codecs are not those of the answer"
        )


async def test_packets_pass_through_our_hands_in_both_directions() -> None:
    packets: list[RtpPacket] = []
    reports: list[Any] = []
    feedback: list[Any] = []

    async def take(packet: RtpPacket, arrival_time_ms: int) -> None:
        packets.append(packet)

    async def take_report(packet: Any) -> None:
        reports.append(packet)

    async def take_feedback(packet: Any) -> None:
        feedback.append(packet)

    async with loopback() as pair:
        sender, receiver = pair.outgoing.sender, pair.incoming.receiver
        sender._handle_rtcp_packet = take_feedback
        await pair.offer()
        await pair.answer()
        divert(receiver, take, take_report)
        recorder = Recorder(sender.transport)
        recorder.install(sender)
        # Not connected yet: nothing is sent, and nothing is raised.
        ours, theirs = own_ssrc(pair.incoming.sender), own_ssrc(sender)
        await send_rtcp(receiver, RtcpPsfbPacket(RTCP_PSFB_PLI, ours, theirs))
        await pair.connect()
        with contextlib.suppress(TimeoutError):
            await until(lambda: len(packets) > 5 and bool(reports), 5)
        assert {packet.ssrc for packet in packets} == {theirs}, (
            f"{CHANGED}a receiver's RTP is not handed to the handler that was set"
        )
        assert any(isinstance(one, RtcpSrPacket) for one in reports), (
            f"{CHANGED}a receiver's RTCP is not handed to the handler that was set"
        )
        assert {is_rtcp(data) for data in recorder.sent} == {False, True}, (
            f"{CHANGED}a sender does not send by the transport that it was given"
        )
        await send_rtcp(receiver, RtcpRtpfbPacket(RTCP_RTPFB_NACK, ours, theirs, [7]))
        with contextlib.suppress(TimeoutError):
            await until(lambda: bool(feedback), 5)
        (nack,) = [one for one in feedback if isinstance(one, RtcpRtpfbPacket)] or [None]
        assert nack is not None and nack.lost == [7], (
            f"{CHANGED}RTCP does not leave by the transport of a receiver"
        )
        await pair.sending.close()
        with contextlib.suppress(TimeoutError):
            await until(lambda: any(isinstance(one, RtcpByePacket) for one in reports), 5)
        assert isinstance(reports[-1], RtcpByePacket), (
            f"{CHANGED}the goodbye of a sender is not handed to the handler that was set"
        )


def test_no_other_module_uses_a_private_name_of_another_object() -> None:
    found = [
        f"{path.name}:{node.lineno} {ast.unparse(node)}"
        for path in WEBRTC.glob("*.py")
        if path.name != "aiortc_private.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.endswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]
    assert not found, "private names of aiortc belong in server/webrtc/aiortc_private.py"
