"""STUN and TURN servers: read from the configuration, and announced to clients."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from aiortc import RTCIceServer

LIFETIME_S = 24 * 3600
"""Seconds that credentials made of a shared secret last: an allocation is renewed with them."""

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?"
_ADDRESS = re.compile(rf"(?:stuns?:{_HOST}|turns?:{_HOST}(?:\?transport=(?:udp|tcp))?)")
_PRINTABLE = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A TURN server with which we share a secret, so that credentials last for a while only.

    It is what coturn calls ``use-auth-secret`` (draft-uberti-behave-turn-rest-00): whoever watches
    or publishes cannot use the server for anything else tomorrow.
    """

    address: str
    secret: str = field(repr=False)

    def now(self) -> RTCIceServer:
        """The server with fresh credentials."""
        user = f"{int(time.time()) + LIFETIME_S}:livedub"
        mac = hmac.new(self.secret.encode(), user.encode(), hashlib.sha1).digest()
        return RTCIceServer(self.address, username=user, credential=base64.b64encode(mac).decode())


def current(servers: Iterable[RTCIceServer | SharedSecret]) -> list[RTCIceServer]:
    """The servers with credentials that are valid from now on."""
    return [one.now() if isinstance(one, SharedSecret) else one for one in servers]


def ice_server(url: str) -> RTCIceServer | SharedSecret:
    """``stun:host``, or ``turn:user:password@host`` with its credentials split off.

    ``turn:secret@host`` is for a secret that is shared with the server. The part behind the
    credentials is a URI as in RFC 7064 or 7065.

    Raises:
        ValueError: for anything else.
    """
    scheme, _, rest = url.partition(":")
    credentials, at, host = rest.rpartition("@")
    address = f"{scheme}:{host}"
    user, colon, password = credentials.partition(":")
    shared = bool(credentials and not colon)
    secret = bool(colon and user and password) or shared
    if not _ADDRESS.fullmatch(address) or secret != scheme.startswith("turn") or bool(at) != secret:
        shown = address if at else url  # never a password
        raise ValueError(
            f"'{shown}' is not an ICE server: write stun:host, turn:user:password@host, or "
            "turn:secret@host for a secret that is shared with the server"
        )
    if not _PRINTABLE.fullmatch(credentials):
        raise ValueError(f"the credentials of '{address}' must be ASCII to be sent in a header")
    if shared:
        return SharedSecret(address, credentials)
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
