"""The other side of WebRTC in tests: aiortc peers that keep every RTP packet and report."""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import depayload
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpSrPacket, RtpPacket, is_rtcp

from server.webrtc.peer import prefer
from server.webrtc.rtp_reports import ReportingTransport, ntp_now
from server.webrtc.whep_tracks import FeedTrack, PictureTrack, SoundTrack
from server.webrtc.whip import WhipSource
from stream.live.feed import ORIGINAL, Feed

RATES = {"audio": 48_000, "audio2": 48_000, "video": 90_000}


def flashes(path: Path, *, length: float = 6, extra: tuple[str, ...] = ("-bf", "0")) -> Path:
    """A dark picture that is bright, and silence that beeps, for 0.2 s of every second."""
    pulse = "lt(mod(t,1),0.2)"
    graph = f"color=black:s=160x90:r=25:d={length},drawbox=c=white:t=fill:enable='{pulse}'"
    beep = f"aevalsrc='if({pulse},0.5*sin(2*PI*1000*t),0)':s=48000:d={length}"
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", graph, "-f", "lavfi", "-i", beep,
            "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25",
            *extra, "-c:a", "pcm_s16le", "-shortest", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


class Viewer:
    """A peer that wants to watch; records instead of decoding. ``audio2`` is a second sound."""

    def __init__(self, kinds: tuple[str, ...] = ("audio", "video")) -> None:
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_COMPAT)
        self.connection = RTCPeerConnection(configuration)
        self.packets: dict[str, list[RtpPacket]] = {kind: [] for kind in kinds}
        self.reports: dict[str, list[RtcpSrPacket]] = {kind: [] for kind in kinds}
        for kind in kinds:
            made = self.connection.addTransceiver(kind.removesuffix("2"), direction="recvonly")
            self._record(kind, made.receiver)

    def _record(self, kind: str, receiver: Any) -> None:
        async def packet(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.packets[kind].append(packet)
            # What aiortc reports on: one that hears something but says nothing looks dead.
            known = receiver._RTCRtpReceiver__remote_streams
            known.setdefault(packet.ssrc, StreamStatistics(RATES[kind])).add(packet)

        async def report(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                self.reports[kind].append(packet)

        receiver._handle_rtp_packet = packet
        receiver._handle_rtcp_packet = report

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def codec(self, kind: str) -> Any:
        (transceiver,) = [t for t in self.connection.getTransceivers() if t.kind == kind]
        return transceiver._codecs[0]

    def wall(self, kind: str, timestamp: int, report: int = -1) -> float:
        """What an RTP timestamp is in the sender's wall time, by one of its reports; seconds."""
        info = self.reports[kind][report].sender_info
        since = (timestamp - info.rtp_timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
        return (info.ntp_timestamp & (1 << 48) - 1) / (1 << 32) + since / RATES[kind]

    @property
    def seen(self) -> int:
        """Pictures of which anything has come."""
        return len({packet.timestamp for packet in self.packets["video"]})

    def frames(self) -> list[tuple[int, bytes]]:
        """Complete coded pictures: RTP timestamp and bytes."""
        pictures: list[tuple[int, bytes]] = []
        for packet in self.packets["video"]:
            data = depayload(self.codec("video"), packet.payload)
            if pictures and pictures[-1][0] == packet.timestamp:
                pictures[-1] = (packet.timestamp, pictures[-1][1] + data)
            else:
                pictures.append((packet.timestamp, data))
        return pictures

    def flash_times(self) -> list[int]:
        """RTP timestamps at which the picture turns bright."""
        name = {"H264": "h264", "VP8": "vp8"}[self.codec("video").name]
        return [int(t) for t in brightenings(name, [(t, d) for t, d in self.frames()])]

    def beep_times(self) -> list[int]:
        """RTP timestamps at which beeps begin."""
        decoder = av.CodecContext.create("libopus", "r")
        times, silent = [], True
        for packet in self.packets["audio"]:
            for frame in decoder.decode(av.Packet(packet.payload)):
                samples = frame.to_ndarray().reshape(-1, 2).astype(np.float32)
                if frame.format.name == "s16":
                    samples /= 32768
                onset = onset_in(samples)
                if silent and onset is not None:
                    times.append(packet.timestamp + onset)
                silent = onset is None
        return times

    def levels(self, kind: str) -> dict[int, float]:
        """Level of every packet's sound, by the sender's wall time in ms."""
        decoder = av.CodecContext.create("libopus", "r")
        found = {}
        for packet in self.packets[kind]:
            (frame,) = decoder.decode(av.Packet(packet.payload))
            samples = frame.to_ndarray().astype(np.float32)
            if frame.format.name.startswith("s16"):
                samples /= 32768
            level = float(np.sqrt(np.mean(samples**2)))
            found[round(1000 * self.wall(kind, packet.timestamp))] = level
        return found

    async def close(self) -> None:
        await self.connection.close()


def onset_in(samples: Any) -> int | None:
    """Where sound of shape ``(n, channels)`` first gets loud, if it does."""
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.1)
    return int(loud[0]) if len(loud) else None


def brightenings(codec: str, pictures: list[tuple[int, bytes]]) -> list[int]:
    """Times, in whatever unit they come, of pictures that turn bright."""
    decoder = av.CodecContext.create(codec, "r")
    times, dark = [], True
    for time, data in pictures:
        packet = av.Packet(data)
        packet.pts = packet.dts = time
        for frame in decoder.decode(packet):
            bright = frame.to_ndarray(format="gray").mean() > 128
            if bright and dark:
                times.append(frame.pts)
            dark = not bright
    return times


async def until(condition: Callable[[], bool], within: float = 60) -> None:
    """Wait for something that must come true."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def nothing_left() -> None:
    """Wait until no task is left but the one that asks; aiortc's own take a moment to see it."""
    mine = asyncio.current_task()
    try:
        await until(lambda: all(t is mine or t.done() for t in asyncio.all_tasks()), 2)
    except TimeoutError:
        raise AssertionError(f"still running: {asyncio.all_tasks() - {mine}}") from None


class Publisher:
    """A peer that publishes a feed as it is; drops packets on the way if told to."""

    def __init__(self, feed: Feed, codec: str = "H264") -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.feed = feed
        self.shuffled: list[Shuffled] = []
        self.tracks: dict[str, FeedTrack] = {"audio": SoundTrack(feed, ORIGINAL, lambda: None)}
        if codec:
            self.tracks["video"] = PictureTrack(feed, codec, lambda: None)
        for kind, track in self.tracks.items():
            transceiver = self.connection.addTransceiver(track, direction="sendonly")
            if kind == "video":
                prefer(transceiver, [codec])

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(
        self, answer: str, *, late_picture: float = 0.0, shuffled: bool = False
    ) -> None:
        """Go on; the picture's packets may all leave late, as from a slow encoder."""
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        zero = ntp_now()
        for sender in self.connection.getSenders():
            kind = sender.kind
            transport: Any = sender.transport
            if kind == "video" and late_picture:
                transport = Late(transport, late_picture)
            if shuffled:
                transport = Shuffled(transport)
                self.shuffled.append(transport)
            sent = self.tracks[kind].sent
            rate = RATES[kind]
            transport = ReportingTransport(transport, sender._ssrc, rate, sent, zero, origin=-7)
            sender.setTransport(transport)

    async def close(self) -> None:
        await self.connection.close()
        for track in self.tracks.values():
            await track.aclose()


class Late:
    """A transport on which everything takes time."""

    def __init__(self, transport: Any, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def _send_rtp(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self._seconds, self._send, data)

    def _send(self, data: bytes) -> None:
        task = asyncio.ensure_future(self._transport._send_rtp(data))
        task.add_done_callback(lambda t: t.cancelled() or t.exception())


class Shuffled:
    """A transport on which packets leave by fours, the first of them last; not quite at first."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._held: list[bytes] = []
        self._first = 20
        self.sending = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def _send_rtp(self, data: bytes) -> None:
        self._first -= 1
        if is_rtcp(data) or self._first > 0:
            await self._transport._send_rtp(data)
            return
        self._held.append(data)
        if len(self._held) == 4:
            first, *rest = self._held
            self._held.clear()
            self.sending = True
            for packet in (*rest, first):
                await self._transport._send_rtp(packet)
            self.sending = False


def lossy(source: WhipSource, share: float, seed: int = 1) -> dict[str, int]:
    """Lose a share of what arrives at a source; returns the count of the lost, by kind."""
    chance, count = random.Random(seed), {"audio": 0, "video": 0}
    for transceiver in source.connection.getTransceivers():
        receiver: Any = transceiver.receiver
        take = receiver._handle_rtp_packet

        async def maybe(
            packet: RtpPacket,
            arrival_time_ms: int,
            kind: str = transceiver.kind,
            take: Any = take,
        ) -> None:
            if chance.random() < share:
                count[kind] += 1
            else:
                await take(packet, arrival_time_ms=arrival_time_ms)

        receiver._handle_rtp_packet = maybe
    return count


def lossy_network(connection: RTCPeerConnection, share: float, seed: int = 1) -> dict[str, int]:
    """Lose a share of a peer's RTP and RTCP, each way; returns the counts of the lost."""
    chance, count = random.Random(seed), {"sent": 0, "received": 0}

    def lost(data: bytes, way: str) -> bool:
        gone = 127 < data[0] < 192 and chance.random() < share
        count[way] += gone
        return gone

    protocols = {
        protocol
        for transceiver in connection.getTransceivers()
        for protocol in transceiver.receiver.transport.transport._connection._protocols
    }
    for protocol in protocols:
        send, receive = protocol.transport.sendto, protocol.datagram_received
        protocol.transport.sendto = lambda data, to, send=send: (
            None if lost(data, "sent") else send(data, to)
        )
        protocol.datagram_received = lambda data, of, receive=receive: (
            None if lost(data, "received") else receive(data, of)
        )
    return count


def cut_off(connection: RTCPeerConnection) -> None:
    """Kill a peer as a cut cable would: its sockets send nothing any more."""
    for transceiver in connection.getTransceivers():
        ice = transceiver.receiver.transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport.sendto = lambda *_: None
