"""What an ``srt`` URL says: who calls whom, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from server.addresses.reach import AddressError

Mode = Literal["caller", "listener"]

LATENCY_MS = 200
"""What SRT waits for packets to come again, unless a URL says otherwise."""

LONGEST_LATENCY_MS = 8000

PASSPHRASE = (10, 79)
"""Characters that one has, by the protocol."""

LONGEST_STREAM_ID = 512


class SrtUrlError(AddressError):
    """An ``srt`` URL cannot be used; the message says why, and has no secrets."""


@dataclass(frozen=True, slots=True)
class SrtAddress:
    """One end of an SRT connection, or what it calls.

    Attributes:
        host: name or address: to call, or to listen on.
        port: UDP port.
        mode: whether to call or to listen.
        latency: ms for which packets may be late.
        passphrase: that encrypts; empty for none.
        stream_id: that is asked for, or that those who call must ask for; may be empty.
        key_length: bytes of the AES key: 16, 24 or 32.
    """

    host: str
    port: int
    mode: Mode = "caller"
    latency: int = LATENCY_MS
    passphrase: str = ""
    stream_id: str = ""
    key_length: int = 16

    @classmethod
    def parsed(cls, url: str) -> SrtAddress:
        """What a URL says: ``srt://HOST:PORT?streamid=...&passphrase=...&latency=MS&mode=...``.

        Raises:
            SrtUrlError: for one that is not right.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SrtUrlError("the srt URL has no valid port") from None
        if not host or not port or parts.path.strip("/") or parts.username is not None:
            raise SrtUrlError("an srt URL is srt://HOST:PORT?streamid=..., with a port and no path")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        mode = given.pop("mode", "caller")
        if mode not in ("caller", "listener"):
            raise SrtUrlError("the mode of an srt URL is caller or listener")
        latency = _number(given.pop("latency", str(LATENCY_MS)))
        if not 20 <= latency <= LONGEST_LATENCY_MS:
            raise SrtUrlError(
                f"the latency of an srt URL is in milliseconds, from 20 to {LONGEST_LATENCY_MS}"
            )
        passphrase, stream_id = given.pop("passphrase", ""), given.pop("streamid", "")
        check_passphrase(passphrase)
        if len(stream_id.encode()) > LONGEST_STREAM_ID:
            raise SrtUrlError(f"an SRT stream id has at most {LONGEST_STREAM_ID} bytes")
        length = _number(given.pop("pbkeylen", "16"))
        if length not in (16, 24, 32):
            raise SrtUrlError("the pbkeylen of an srt URL is 16, 24 or 32")
        if given:
            raise SrtUrlError(
                "an srt URL takes mode, latency, passphrase, streamid and pbkeylen, not "
                f"'{next(iter(given))[:40]}'"
            )
        return cls(host, port, cast(Mode, mode), latency, passphrase, stream_id, length)

    @property
    def url(self) -> str:
        """The URL again, secrets included."""
        place = f"[{self.host}]" if ":" in self.host else self.host
        query = {"mode": self.mode, "latency": str(self.latency), "pbkeylen": str(self.key_length)}
        secret = {"passphrase": self.passphrase, "streamid": self.stream_id}
        query |= {name: value for name, value in secret.items() if value}
        return f"srt://{place}:{self.port}?{urlencode(query)}"


def check_passphrase(passphrase: str) -> None:
    """Refuse what the protocol has no room for; empty means none.

    Raises:
        SrtUrlError: saying how long it is to be.
    """
    shortest, longest = PASSPHRASE
    if passphrase and not shortest <= len(passphrase.encode()) <= longest:
        raise SrtUrlError(f"an SRT passphrase has {shortest} to {longest} characters")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
