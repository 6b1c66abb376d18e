"""``serve.hosts`` is about addresses: a name that looks like one of its networks is in none."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from server.addresses.reach import AddressError, Public
from server.config import ConfigError, load


@pytest.mark.parametrize(
    ("entry", "host", "address", "allowed"),
    [
        ("10.1.*", "10.1.2.3", "10.1.2.3", True),
        ("10.1.*", "10.1.evil.example", "127.0.0.1", False),
        ("10.1.*", "10.1.evil.example", "10.1.0.9", True),
        ("10.1.0.0/16", "camera", "10.2.0.9", False),
        ("192.168.1.7", "192.168.1.70", "192.168.1.70", False),
        ("camera", "camera", "10.2.0.9", True),
        ("camera", "camera.evil.example", "10.2.0.9", False),
        (".lan.example", "a.lan.example", "10.2.0.9", True),
        ("*.lan.example", "a.b.lan.example", "10.2.0.9", True),
        (".lan.example", "evillan.example", "10.2.0.9", False),
        ("[::1]", "::1", "::1", True),
        ("10.0.0.0/8", "x", "::ffff:10.0.0.1", True),
        ("camera", "x", "::ffff:10.0.0.1", False),
        ("camera", "x", "64:ff9b::a00:1", False),
        ("camera", "x", "fe80::1", False),
        ("camera", "x", "100.64.0.1", False),
        ("camera", "x", "169.254.169.254", False),
        ("camera", "x", "2606:4700::1111", True),
        ("*", "x", "127.0.0.1", True),
    ],
)
def test_by_address(
    entry: str, host: str, address: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    reach = Public.declared([entry])
    if allowed:
        assert list(map(ip_address, reach.addresses(host))) == [ip_address(address)]
    else:
        with pytest.raises(AddressError, match="private"):
            reach.addresses(host)


@pytest.mark.parametrize("entry", ["192.168.1.?", "[1-9]*", "http://a", "a b", "", "10.1.*.*"])
def test_patterns_are_refused_when_it_starts(entry: str) -> None:
    with pytest.raises(ConfigError, match="takes networks such as"):
        load(assignments=[f"serve.hosts=['{entry}']"], environment={})
