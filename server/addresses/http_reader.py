"""Media over HTTP: FFmpeg asks for each address here and opens no connection itself.

So every hop, be it a redirect, a playlist's segment or a key, is checked by the rule that held for
the first address, and connected to at the very address that was checked.
"""

from __future__ import annotations

import io
import logging
import re
import ssl
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import httpcore
import httpx

from server.addresses.aes_segments import decrypted
from server.addresses.certificates import checking
from server.addresses.reach import MOST_REDIRECTS, AddressError, Reach
from stream.errors import cause

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they log whole addresses, secrets included

LONGEST_PLAYLIST = 4 << 20
"""Bytes of a playlist whose names are made absolute."""

_PLAYLIST = b"#EXTM3U"
_COUNT = re.compile("[0-9]{1,19}")
_URI = re.compile(r'(URI=")([^"]*)"')


class HttpReader:
    """Opens addresses for one source; see ``stream.media.opening.Fetch``.

    What cannot be opened or breaks off is empty to FFmpeg, as a segment that is missing is to be
    passed over.

    Args:
        reach: where it may connect to.
        timeout_s: seconds to wait for a connection, and for each part of an answer.
        verify: whether certificates are checked.
    """

    def __init__(self, reach: Reach, timeout_s: float, *, verify: bool = True) -> None:
        self._reach, self._timeout_s, self._verify = reach, timeout_s, verify
        self._client: httpx.Client | None = None
        self.failure: str | None = None
        """Why an address could not be read when that happened last."""

    def __call__(self, url: str, options: Mapping[str, str]) -> HttpFile:
        """Open an address.

        Args:
            url: of ``http`` or ``https``, behind ``crypto+`` for an encrypted segment.
            options: of FFmpeg's protocols: ``offset`` and ``end_offset`` in bytes, and ``key`` and
                ``iv`` as hexadecimal digits.
        """
        first, end = int(options.get("offset", 0)), options.get("end_offset")
        plain = url.removeprefix("crypto+")
        keys = None
        if plain != url:
            keys = bytes.fromhex(options.get("key", "")), bytes.fromhex(options.get("iv", ""))
        return HttpFile(self, plain, first, end, keys)

    def close(self) -> None:
        """Close every connection; it may be used again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(self, url: str, first: int, end: str | None) -> httpx.Response | None:
        """Ask for a range of an address; ``None`` if it cannot be had."""
        headers = {"Accept-Encoding": "identity"}
        if first or end is not None:
            headers["Range"] = f"bytes={first}-{'' if end is None else int(end) - 1}"
        if self._client is None:
            self._client = self._made()
        try:
            request = self._client.build_request("GET", url, headers=headers)
            response = self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, AddressError, OSError, ValueError) as error:
            self.failure = sentence(error)
            return None
        if response.is_success and (not first or response.status_code == 206):
            return response
        self.failure = f"the server answers {response.status_code} {response.reason_phrase}"
        response.close()
        return None

    def _made(self) -> httpx.Client:
        return client(self._reach, self._timeout_s, verify=self._verify)


def client(reach: Reach, timeout_s: float, *, verify: bool = True) -> httpx.Client:
    """What asks servers over HTTP and connects to no others than a session may; it blocks.

    Args:
        reach: where it may connect to, at every redirect.
        timeout_s: seconds to wait for a connection, and for each part of an answer.
        verify: whether certificates are checked.
    """
    checked = checking(verify)
    # A proxy of the environment would decide where a name leads.
    proxied = reach.everywhere and bool(urllib.request.getproxies())
    return httpx.Client(
        verify=checked,
        trust_env=proxied,
        transport=None if proxied else _transport(checked, reach),
        timeout=timeout_s,
        follow_redirects=True,
        max_redirects=MOST_REDIRECTS,
        headers={"User-Agent": "livedub"},
    )


class HttpFile:
    """One address as a file.

    Args:
        reader: that asks for it.
        url: what for.
        first: byte to begin with.
        end: byte to end before, if not with the last.
        keys: key and initialisation vector of an encrypted segment.
    """

    def __init__(
        self,
        reader: HttpReader,
        url: str,
        first: int,
        end: str | None,
        keys: tuple[bytes, bytes] | None = None,
    ) -> None:
        self._reader, self._end, self._keys = reader, end, keys
        self._begin = self._position = self._wanted = first
        self._length: int | None = None
        self._ranges = False
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._rest = b""
        self.name = url
        response = self._ask(url)
        self.found = response is not None
        """Whether it could be opened."""
        if response is not None:
            self.name = str(response.url)
            self._resolve(moved=bool(response.history))
            if keys is None:
                ranges = response.headers.get("Accept-Ranges", "").strip().lower()
                self._ranges = ranges == "bytes" or response.status_code == 206
                length = response.headers.get("Content-Length", "")
                self._length = first + int(length) if _COUNT.fullmatch(length) else None

    @property
    def format(self) -> str | None:
        """FFmpeg's name of the container, if it is a playlist; it tells them by their names."""
        return "hls" if self._peek().startswith(_PLAYLIST) else None

    def seekable(self) -> bool:
        """Whether the server gives parts of it."""
        return self._ranges

    def tell(self) -> int:
        """The next byte, counted from where it was opened."""
        return self._wanted - self._begin

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on elsewhere, by another request once something is read there.

        Returns:
            Where that is, or -1 if the length that this takes is not known.
        """
        base = {io.SEEK_SET: self._begin, io.SEEK_CUR: self._wanted}.get(whence, self._length)
        if base is None:
            return -1
        self._wanted = base + offset
        return self.tell()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, as they have come; none at the end."""
        if self._wanted != self._position:
            self._close_response()
            self._position = self._wanted
            self._ask(self.name)
        self._peek()
        size = len(self._rest) if size < 0 else size
        given, self._rest = self._rest[:size], self._rest[size:]
        self._position = self._wanted = self._position + len(given)
        return given

    def _peek(self) -> bytes:
        while not self._rest:
            try:
                piece = next(self._pieces, None)
            except (httpx.HTTPError, httpx.StreamError, OSError) as error:
                self._reader.failure = sentence(error)
                piece = None
            if piece is None:
                break
            self._rest = piece
        return self._rest

    def close(self) -> None:
        """Leave the rest."""
        self._close_response()

    def _ask(self, url: str) -> httpx.Response | None:
        self._response = self._reader.get(url, self._position, self._end)
        self._rest = b""
        pieces = iter(()) if self._response is None else self._response.iter_bytes()
        self._pieces = pieces if self._keys is None else decrypted(pieces, *self._keys)
        return self._response

    def _close_response(self) -> None:
        if self._response is not None:
            self._response.close()
        self._pieces, self._rest = iter(()), b""

    def _resolve(self, *, moved: bool) -> None:
        """A playlist that has moved names what is beside it now, which FFmpeg does not know."""
        if not moved:
            return
        text = b""
        while len(text) < LONGEST_PLAYLIST and _PLAYLIST.startswith(text[: len(_PLAYLIST)]):
            piece = self.read()
            if not piece:
                break
            text += piece
        if text.startswith(_PLAYLIST):
            text = _absolute(text.decode(errors="replace"), self.name).encode()
        self._rest = text + self._rest
        self._position = self._wanted = self._begin


def _absolute(playlist: str, base: str) -> str:
    lines = []
    for line in playlist.splitlines():
        if line.startswith("#"):
            line = _URI.sub(lambda m: f'{m[1]}{urljoin(base, m[2])}"', line)
        elif line.strip():
            line = urljoin(base, line.strip())
        lines.append(line)
    return "\n".join(lines) + "\n"


def _transport(context: ssl.SSLContext, reach: Reach) -> httpx.HTTPTransport:
    transport = httpx.HTTPTransport(verify=context)
    # httpx has no way to say who connects; httpcore, which it is made of, has.
    transport._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=_Checked(reach))
    return transport


class _Checked(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and to no name."""

    def __init__(self, reach: Reach) -> None:
        self._reach, self._own = reach, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = httpcore.ConnectError("no address")
        for address in self._reach.addresses(host):
            try:
                return _Lenient(
                    self._own.connect_tcp(address, port, timeout, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class _Lenient(httpcore.NetworkStream):
    """A connection on which servers of radio stations may answer ``ICY 200 OK``."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream, self._begun = stream, False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, timeout)
        if not self._begun and data.startswith(b"ICY "):
            data = b"HTTP/1.0 " + data[4:]
        self._begun = True
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Lenient(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def sentence(error: Exception) -> str:
    """Why, without addresses, which may hold secrets."""
    if isinstance(error, httpx.TimeoutException):
        return "the server does not answer"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return "it leads to an address that is not of http or https"
    if isinstance(error, httpx.TooManyRedirects):
        return "it is redirected too often"
    return cause(error)
