"""Where WebRTC peers reach the daemon: its UDP ports, and addresses that it does not know itself.

Behind 1:1 NAT, and in a container whose ports are mapped, the daemon sees private addresses alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import re
from collections.abc import Collection
from typing import Any

from stream.errors import UserError


def keep_within(loop: asyncio.AbstractEventLoop, ports: range) -> None:
    """Take UDP ports from a range wherever any would do.

    aioice binds its sockets to port 0 and offers no choice.
    """
    create = loop.create_datagram_endpoint

    async def chosen(factory: Any, local_addr: Any = None, **options: Any) -> Any:
        if local_addr is None or local_addr[1] != 0:
            return await create(factory, local_addr=local_addr, **options)
        for port in random.sample(ports, len(ports)):
            try:
                return await create(factory, local_addr=(local_addr[0], port), **options)
            except OSError:
                continue  # it is taken
        raise OSError(f"no UDP port from {ports[0]} to {ports[-1]} is free")

    loop.create_datagram_endpoint = chosen  # type: ignore[method-assign, assignment]


def announced(answer: str, addresses: Collection[str]) -> str:
    """An answer that also names addresses from outside, with the ports of those inside.

    Args:
        answer: the description.
        addresses: of IPv4 or IPv6; each is named where a candidate of its kind is.
    """
    lines = []
    for line in answer.split("\r\n"):
        lines.append(line)
        parts = line.split(" ")
        if not line.startswith("a=candidate:") or parts[6:8] != ["typ", "host"]:
            continue
        version = ipaddress.ip_address(parts[4]).version
        for number, address in enumerate(addresses):
            if ipaddress.ip_address(address).version == version:
                # A little after those inside, which peers in the same network had better use.
                priority = str(int(parts[3]) - 1 - number)
                foundation = f"{parts[0]}{number:x}"
                more = [foundation, *parts[1:3], priority, address, *parts[5:]]
                if " ".join(more[1:]) not in answer:
                    lines.append(" ".join(more))
    return "\r\n".join(lines)


def port_range(text: str) -> range:
    """``FIRST-LAST`` as a range.

    Raises:
        UserError: for anything else.
    """
    matched = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    first, last = (int(matched[1]), int(matched[2])) if matched else (0, 0)
    if not 1024 <= first <= last <= 65535:
        raise UserError(
            f"serve.udp_ports: '{text}' is no range of ports: write for example 50000-50199"
        )
    return range(first, last + 1)
