"""URLs that lead to an address which was checked, however often they are opened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import certifi

from server.addresses.reach import AddressError, Reach, host_of
from server.addresses.srt_address import SrtAddress

_UDP_OPTIONS = {"pkt_size", "buffer_size", "fifo_size", "overrun_nonfatal", "ttl", "reuse"}
"""Of a ``udp`` URL's query; others would say where to listen, and to whom."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A URL that leads to an address which was checked.

    Attributes:
        url: with the address in the place of the name where FFmpeg connects itself.
        options: of FFmpeg's protocol, which keep the name with it.
        relayed: whether a ``Relay`` is to connect instead.
    """

    url: str
    options: dict[str, str] = field(default_factory=dict)
    relayed: bool = False


def pinned(url: str, reach: Reach, *, verify: bool = True) -> Pinned:
    """Check where a URL leads, and keep it there; blocks while its host is resolved.

    What FFmpeg would resolve or redirect by itself is left to a ``Relay``: servers choose their
    certificate by the name that FFmpeg connects to, and RTSP ones may send it elsewhere.

    Args:
        url: of ``rtmp``, ``rtmps``, ``rtsp``, ``udp`` or ``srt``.
        reach: where the session may connect to.
        verify: whether certificates are checked.

    Raises:
        AddressError: if it leads out of reach.
    """
    options = {}
    parts = urlsplit(url)
    if parts.scheme == "srt":
        return Pinned(_called(SrtAddress.parsed(url), reach).url)
    if parts.scheme == "rtmps" and verify:
        options = {"tls_verify": "1", "ca_file": certifi.where()}
    if reach.everywhere:
        return Pinned(url, options)
    if parts.scheme == "udp":
        parts = parts._replace(query=_checked_query(parts.query))
    host, port = host_of(url)
    address = reach.addresses(host)[0]
    if parts.scheme == "rtsp":
        return Pinned(url, {}, relayed=True)
    if parts.scheme == "rtmps":
        return Pinned(url, {"rtmp_tcurl": _application(parts)}, relayed=True)
    user = parts.netloc.rpartition("@")[0]
    place = f"[{address}]" if ":" in address else address
    netloc = f"{user}@{place}" if user else place
    if port is not None:
        netloc += f":{port}"
    if parts.scheme == "rtmp":
        options["rtmp_tcurl"] = _application(parts)
    return Pinned(urlunsplit(parts._replace(netloc=netloc)), options)


def _called(address: SrtAddress, reach: Reach) -> SrtAddress:
    if reach.everywhere:
        return address
    if address.mode == "listener":
        raise AddressError("only sessions of the configuration may listen for SRT")
    return replace(address, host=reach.addresses(address.host)[0])


def _application(parts: SplitResult) -> str:
    """What an RTMP server is told that it was asked for."""
    names = parts.path.strip("/").split("/")
    application = "/".join(names[: 2 if len(names) > 2 else 1])  # as FFmpeg divides a path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{application}"


def _checked_query(query: str) -> str:
    given = parse_qsl(query, keep_blank_values=True)
    for name, value in given:
        if name not in _UDP_OPTIONS or not value.isdecimal():
            raise AddressError(
                f"a udp URL takes {', '.join(sorted(_UDP_OPTIONS))} as numbers, not '{name[:40]}'"
            )
    return urlencode(given)
