"""In a container or behind 1:1 NAT, WebRTC needed a relay; a range of UDP ports and the addresses
by which the daemon is reached must be settings, and hold for every answer."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest

from server.webrtc.reach import announced, keep_within, port_range
from server.webrtc.whip import publish
from stream.errors import UserError
from tests.helpers.bare_feed import bare_feed
from tests.helpers.daemons import served
from tests.helpers.nginx_rtmp import free_port
from tests.helpers.rtc import Publisher


def candidates(answer: str) -> list[tuple[str, int]]:
    found = re.findall(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", answer, re.MULTILINE)
    return [(address, int(port)) for address, port in found]


async def test_ports_are_of_the_range_and_free_again_afterwards() -> None:
    keep_within(asyncio.get_running_loop(), range(42_000, 42_040))
    for _ in range(3):
        async with bare_feed() as feed:
            publisher = Publisher(feed)
            source = await publish(await publisher.offer())
            ports = [port for _, port in candidates(source.answer)]
            assert ports and all(42_000 <= port < 42_040 for port in ports)
            await publisher.close()
            await source.aclose()


async def test_a_range_that_is_used_up_is_said() -> None:
    loop = asyncio.get_running_loop()
    port = free_port(socket.SOCK_DGRAM)
    keep_within(loop, range(port, port + 1))
    first, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    with pytest.raises(OSError, match=f"no UDP port from {port} to {port} is free"):
        await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    first.close()


async def test_every_answer_names_the_addresses_from_outside() -> None:
    async with served("serve.addresses=[203.0.113.5]", "serve.sessions=[{id: s}]") as it:
        viewer = Publisher(it.daemon.sessions["s"].feed, "")
        key = it.daemon.sessions["s"].key
        answer = await it.http.post(
            "/sessions/s/whip",
            content=await viewer.offer(),
            headers={"Content-Type": "application/sdp", "Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 201, answer.text
        named = candidates(answer.text)
        outside = {port for address, port in named if address == "203.0.113.5"}
        inside = {port for address, port in named if "." in address}
        assert outside and outside == inside
        await viewer.close()


def test_an_address_is_named_once_and_after_those_inside() -> None:
    inside = "a=candidate:f1 1 udp 2130706431 10.0.0.2 5000 typ host"
    other = "a=candidate:f2 1 udp 2130706431 fd00::2 5001 typ host"
    relay = "a=candidate:f3 1 udp 16777215 192.0.2.9 6000 typ relay raddr 0.0.0.0 rport 0"
    made = announced("\r\n".join([inside, other, relay, ""]), ["203.0.113.5", "2001:db8::5"])
    lines = made.split("\r\n")
    assert len(lines) == 6 and lines[0] == inside and lines[2] == other and lines[4] == relay
    assert lines[1] == "a=candidate:f10 1 udp 2130706430 203.0.113.5 5000 typ host"
    assert lines[3] == "a=candidate:f21 1 udp 2130706429 2001:db8::5 5001 typ host"
    assert announced("v=0\r\n", ["203.0.113.5"]) == "v=0\r\n"


@pytest.mark.parametrize("text", ["", "5", "5-4", "50000", "0-65535", "50000-70000", "a-b"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no range of ports"):
        port_range(text)
    assert port_range("50000-50001") == range(50_000, 50_002)
