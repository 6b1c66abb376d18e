"""STUN and TURN servers: read from the configuration, and announced to clients."""

from __future__ import annotations

import re
from collections.abc import Collection

from aiortc import RTCIceServer

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?"
_ADDRESS = re.compile(rf"(?:stuns?:{_HOST}|turns?:{_HOST}(?:\?transport=(?:udp|tcp))?)")
_PRINTABLE = re.compile(r"[ -~]*")


def ice_server(url: str) -> RTCIceServer:
    """``stun:host``, or ``turn:user:password@host`` with its credentials split off.

    The part behind the credentials is a URI as in RFC 7064 or 7065.

    Raises:
        ValueError: for anything else.
    """
    scheme, _, rest = url.partition(":")
    credentials, at, host = rest.rpartition("@")
    address = f"{scheme}:{host}"
    user, colon, password = credentials.partition(":")
    secret = bool(colon and user and password)
    if not _ADDRESS.fullmatch(address) or secret != scheme.startswith("turn") or bool(at) != secret:
        shown = address if at else url  # never a password
        raise ValueError(
            f"'{shown}' is not an ICE server: write stun:host or turn:user:password@host"
        )
    if not _PRINTABLE.fullmatch(credentials):
        raise ValueError(f"the credentials of '{address}' must be ASCII to be sent in a header")
    if not secret:
        return RTCIceServer(address)
    return RTCIceServer(address, username=user, credential=password)


def ice_links(servers: Collection[RTCIceServer]) -> dict[str, str]:
    """The header that announces them to a WHIP or WHEP client (RFC 9725, section 4.6)."""
    links = [_link(server) for server in servers]
    return {"Link": ", ".join(links)} if links else {}


def _link(server: RTCIceServer) -> str:
    parameters = {"rel": "ice-server"}
    if server.username is not None:
        parameters["username"] = server.username
        parameters["credential"] = server.credential or ""
        parameters["credential-type"] = "password"
    shown = (f"; {name}={_quoted(value)}" for name, value in parameters.items())
    return f"<{server.urls}>{''.join(shown)}"


def _quoted(value: str) -> str:
    """A quoted string of RFC 9110, section 5.6.4."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
