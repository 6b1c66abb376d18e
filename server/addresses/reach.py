"""The hosts that a session may connect to, decided by the addresses that their names stand for."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from stream.errors import UserError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


ANSWER_TIMEOUT_S = 10.0
"""Time without an answer after which a server is considered gone."""

MOST_REDIRECTS = 8


class AddressError(UserError):
    """A host may not be connected to, or is not known; the message says why."""


class Reach(Protocol):
    """Where one session may connect to."""

    @property
    def everywhere(self) -> bool:
        """Whether nothing is refused, so that names need not be resolved beforehand."""
        ...

    def addresses(self, host: str) -> list[str]:
        """The addresses of a host, all of which may be connected to. Blocks while it resolves.

        Raises:
            AddressError: if it is not known, or any of its addresses is out of reach.
        """
        ...


@dataclass(frozen=True, slots=True)
class Everywhere:
    """For sessions of the operator's own."""

    everywhere = True

    def addresses(self, host: str) -> list[str]:
        """See ``Reach``."""
        return [str(address) for address in _resolved(host)]


EVERYWHERE = Everywhere()


@dataclass(frozen=True, slots=True)
class Public:
    """Public addresses, and what the operator has declared besides.

    Attributes:
        networks: that may be private.
        names: hosts that may have any address, whole and in lower case; one that begins with a dot
            stands for all below it.
    """

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    everywhere = False

    @classmethod
    def declared(cls, entries: Sequence[str]) -> Public:
        """As ``serve.hosts`` lists them: networks, addresses, names, ``.suffix``, or ``*``.

        ``10.1.*`` is the network 10.1.0.0/16, and ``*.example.org`` the same as ``.example.org``.

        Raises:
            ValueError: with a sentence, for what is none of these.
        """
        networks: list[Network] = []
        names = set()
        for entry in entries:
            if entry == "*":
                networks += [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
                continue
            if entry.startswith("*."):
                entry = entry[1:]
            try:
                networks.append(ipaddress.ip_network(_network(entry.strip("[]")), strict=False))
            except ValueError:
                if set(entry) & set("*?[]/:@ ") or not entry.strip("."):
                    raise ValueError(
                        f"serve.hosts has '{entry}', but takes networks such as 10.1.0.0/16, "
                        "addresses, names, and .example.org for all hosts below a name"
                    ) from None
                names.add(entry.lower().removesuffix("."))
        return cls(tuple(networks), frozenset(names))

    def addresses(self, host: str) -> list[str]:
        """See ``Reach``."""
        found = _resolved(host)
        if not self._named(host.lower().removesuffix(".")):
            for address in found:
                if not self._reachable(address):
                    raise AddressError(
                        f"the host '{host}' is private: allow its network in serve.hosts if it is "
                        "meant"
                    )
        return [str(address) for address in found]

    def _named(self, host: str) -> bool:
        parts = host.split(".")
        above = (f".{'.'.join(parts[at:])}" for at in range(1, len(parts)))
        return host in self.names or any(name in self.names for name in above)

    def _reachable(self, address: Address) -> bool:
        if any(address in network for network in self.networks):
            return True
        inner = _embedded(address)
        if inner is not None:
            return self._reachable(inner)
        return address.is_global and not address.is_multicast


def _network(entry: str) -> str:
    """A network of version 4, some of whose bytes are written ``*``, as address and length."""
    if not re.fullmatch(r"(\d{1,3}\.){1,3}\*", entry):
        return entry
    fixed = entry.split(".")[:-1]
    return ".".join(fixed + ["0"] * (4 - len(fixed))) + f"/{8 * len(fixed)}"


def _embedded(address: Address) -> Address | None:
    """The address of version 4 that one of version 6 leads to: mapped, NAT64 or 6to4."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def host_of(url: str) -> tuple[str, int | None]:
    """Host and port that a URL names.

    Raises:
        AddressError: if it names none.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise AddressError("the URL has no valid port") from None
    if not host:
        raise AddressError("the URL names no host")
    return host, port


def _resolved(host: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(f"the host '{host}' is not known") from None
    names = dict.fromkeys(str(address[0]).split("%")[0] for *_, address in found)
    return [ipaddress.ip_address(name) for name in names]
