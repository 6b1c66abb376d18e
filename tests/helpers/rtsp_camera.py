"""An RTSP server of one sound track."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=audio 0 RTP/AVP 0\r\na=control:sound\r\n"
)
PACKET = 160
"""Samples of PCMU in a packet, at 8 kHz."""


@dataclass
class Camera:
    """An RTSP server of one sound track.

    Args:
        tcp: whether it sends by TCP; by UDP it says yes and sends if it does not.
        moved: where it sends whoever asks what there is.

    Attributes:
        asked: the first lines of requests.
        setups: transports that were asked for.
    """

    tcp: bool
    moved: str | None = None
    asked: list[str] = field(default_factory=list)
    setups: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target: tuple[str, int] | None = None
        sending: list[asyncio.Task[None]] = []
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked.append(request.partition("\r")[0])
                method = request.split()[0]
                lines = ["Session: 1"]
                body, status = "", "200 OK"
                if method == "OPTIONS":
                    lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
                elif method == "DESCRIBE" and self.moved is not None:
                    status = "302 Found"
                    lines.append(f"Location: {self.moved}")
                elif method == "DESCRIBE":
                    lines.append("Content-Type: application/sdp")
                    body = SDP
                elif method == "SETUP":
                    asked = re.search(r"Transport: (.*)\r\n", request)
                    assert asked is not None
                    self.setups.append(asked[1])
                    if "TCP" in asked[1] and not self.tcp:
                        status = "461 Unsupported Transport"
                    elif "TCP" in asked[1]:
                        lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
                    else:
                        ports = re.search(r"client_port=(\d+)", asked[1])
                        assert ports is not None
                        target = ("127.0.0.1", int(ports[1]))
                        lines.append(f"Transport: {asked[1]};server_port=9-10")
                number = re.search(r"CSeq: (\d+)", request)
                assert number is not None
                head = [f"RTSP/1.0 {status}", f"CSeq: {number[1]}", *lines]
                head.append(f"Content-Length: {len(body)}")
                writer.write("\r\n".join([*head, "", body]).encode())
                if method == "PLAY":
                    sending.append(asyncio.create_task(self._send(writer, target)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            writer.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter, target: tuple[str, int] | None) -> None:
        """Five seconds of a tone at four times its pace."""
        loop = asyncio.get_running_loop()
        transport: asyncio.DatagramTransport | None = None
        if target is not None and not self.tcp:
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=target
            )
        payload = bytes(np.tile([0x9F, 0x9F, 0x1F, 0x1F], PACKET // 4).astype(np.uint8))
        try:
            for number in range(250):
                stamp = number * PACKET
                packet = b"\x80\x00" + number.to_bytes(2, "big") + stamp.to_bytes(4, "big")
                packet += b"live" + payload
                if transport is not None:
                    transport.sendto(packet)
                elif target is None:
                    writer.write(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
                await asyncio.sleep(0.005)
        finally:
            if transport is not None:
                transport.close()


@contextlib.asynccontextmanager
async def camera(*, tcp: bool = True, host: str = "127.0.0.1") -> AsyncIterator[Camera]:
    one = Camera(tcp)
    serving = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await one.serve(reader, writer)

    server = await asyncio.start_server(serve, host, 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        await server.wait_closed()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
