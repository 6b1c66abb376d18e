"""A way to one server through this process, for the protocols that FFmpeg speaks itself.

FFmpeg resolves names, follows RTSP's redirects to wherever they lead, and cannot be told which
address a name of a certificate has. So it is given a port of this machine, and what comes there is
carried to an address that was checked. Over TLS, this end of it is here.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from server.addresses.certificates import checking
from server.addresses.reach import (
    ANSWER_TIMEOUT_S,
    MOST_REDIRECTS,
    AddressError,
    Reach,
    host_of,
)
from server.addresses.rtsp_answers import RtspAnswers, moved_to
from stream.errors import cause

PORTS = {"rtsp": 554, "rtmps": 443}
"""Where a server listens unless its URL says so; FFmpeg's own choice."""

PIECE = 1 << 16
"""Bytes carried at a time."""

ROUNDS = 8
"""Pieces carried in one direction before it is the other's turn."""

_Filter = Callable[[bytes], bytes]


def relay_to(url: str, reach: Reach, *, verify: bool = True) -> Relay:
    """A relay to the server that a URL names.

    Args:
        url: of ``rtsp`` or ``rtmps``.
        reach: where it may be.
        verify: whether its certificate is checked, where there is one.
    """
    host, port = host_of(url)
    scheme = urlsplit(url).scheme
    tls = checking(verify) if scheme == "rtmps" else None
    return Relay(host, port or PORTS[scheme], reach, tls=tls, rtsp=scheme == "rtsp")


class Relay:
    """Listens on loopback and carries one connection after another to a server.

    The name is resolved and checked for every one of them.

    Args:
        host: of the server.
        port: likewise.
        reach: where it may be.
        tls: how its certificate is checked; ``None`` for plain TCP.
        rtsp: whether it speaks RTSP, whose redirects are followed here, and checked.
    """

    def __init__(
        self,
        host: str,
        port: int,
        reach: Reach,
        *,
        tls: ssl.SSLContext | None = None,
        rtsp: bool = False,
    ) -> None:
        self._first = (host, port)
        self._target: tuple[str, int] | None = None  # of the next connection, if it was redirected
        self._reach, self._tls, self._rtsp = reach, tls, rtsp
        self._redirects = 0
        self._open: list[socket.socket] = []
        self._closed = self._left = False
        self.failure: str | None = None
        """Why the newest connection came to nothing, or broke off."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def address(self, url: str) -> str:
        """A URL of the server, as it leads through here; its user and path stay."""
        return _through(url, self.port)

    def close(self) -> None:
        """End every connection, and listen no more."""
        self._closed = self._left = True
        for one in tuple(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._wake()

    def finish(self) -> None:
        """Listen no more, and carry what is under way to its end."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # `accept` returns with a connection only
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()

    def _accept(self) -> None:
        with self._listening:
            while not self._closed:
                near, _ = self._listening.accept()
                with near:
                    if not self._closed:
                        self._serve(near)

    def _serve(self, near: socket.socket) -> None:
        target, self._target = self._target, None
        if target is None:
            target, self._redirects = self._first, 0
        self._open.append(near)
        try:
            with self._connected(*target) as far:
                self._open.append(far)
                if not self._left:
                    self.failure = None
                    _carry(near, far, RtspAnswers(self._moved) if self._rtsp else None)
        except (OSError, AddressError) as error:
            self.failure = _sentence(error)
        self._open.clear()

    def _moved(self, location: str) -> str:
        self._redirects += 1
        if self._redirects > MOST_REDIRECTS:
            raise AddressError("it is redirected too often")
        host, port = moved_to(location)
        self._reach.addresses(host)
        self._target = (host, port)
        return _through(location, self.port)

    def _connected(self, host: str, port: int) -> socket.socket:
        failed: OSError = ConnectionError("no address")
        for address in self._reach.addresses(host):
            try:
                plain = socket.create_connection((address, port), ANSWER_TIMEOUT_S)
            except OSError as error:
                failed = error
                continue
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._tls.wrap_socket(plain, server_hostname=host) if self._tls else plain
            except BaseException:
                plain.close()
                raise
        raise failed


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    scheme = {"rtmps": "rtmp"}.get(parts.scheme, parts.scheme)
    return urlunsplit(parts._replace(scheme=scheme, netloc=f"{user}{at}127.0.0.1:{port}"))


class _Way:
    """One direction of a connection; holds what it could not give on yet."""

    def __init__(self, source: socket.socket, sink: socket.socket, through: _Filter | None) -> None:
        self._source, self._sink, self._through = source, sink, through
        self.pending = b""

    def move(self) -> bool:
        """Carry what can be carried now; whether there may be more."""
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            for _ in range(ROUNDS):
                if self.pending:
                    self.pending = self.pending[self._sink.send(self.pending) :]
                    continue
                data = self._source.recv(PIECE)
                if not data:
                    return False
                self.pending = data if self._through is None else self._through(data)
        return True


def _carry(near: socket.socket, far: socket.socket, through: _Filter | None) -> None:
    """Carry bytes in both directions until either side ends."""
    for one in (near, far):
        one.setblocking(False)
    there, back = _Way(near, far, None), _Way(far, near, through)
    ready = select.poll()
    while there.move() and back.move():
        # What cannot be given on is not taken either, so that TCP holds back whoever sends it.
        for one, taken, given in ((near, there, back), (far, back, there)):
            reads = 0 if taken.pending else select.POLLIN
            ready.register(one, reads | (select.POLLOUT if given.pending else 0))
        unread = isinstance(far, ssl.SSLSocket) and far.pending() and not back.pending
        ready.poll(0 if unread else None)


def _sentence(error: Exception) -> str:
    """Why, without addresses, which may hold secrets."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    return cause(error)
