"""Where MPEG-TS is written to by SRT: a server that is called, or whoever calls."""

from __future__ import annotations

import io
import threading
import time
from typing import Any

from server.addresses.srt_address import SrtAddress
from server.srt.library import FORBIDDEN, OVERLOAD, PAYLOAD, Library, SrtError, SrtSocket
from stream.live.link import Link

CALL_S = 8.0
"""Time for a server to answer."""

MOST_CALLERS = 16
"""Those who may receive at a time what is listened for."""

END_S = 2.0
"""Time for what was sent last to arrive."""


class SrtSink(io.RawIOBase):
    """A file that is sent, written to in one thread.

    A caller waits where its server is slow. A listener waits for nobody: who is slow loses what was
    sent meanwhile.

    Args:
        address: to call, or to listen on.

    Raises:
        SrtError: from here and from ``write``, if the server cannot be reached or goes away.
    """

    def __init__(self, address: SrtAddress) -> None:
        super().__init__()
        self._address = address
        self._library = Library()
        self._rest = b""
        self._peers: list[SrtSocket] = []
        self._gone = Link(None, 0, 0, 0)  # sums of those that have left
        self._changing = threading.Lock()
        self._own = self._library.socket(
            latency=address.latency, passphrase=address.passphrase, key_length=address.key_length
        )
        if address.mode == "caller":
            self._own.connect(
                address.host, address.port, stream_id=address.stream_id, timeout=CALL_S
            )
            self._peers.append(self._own)
            return
        self._own.on_call(self._decide)
        self._own.listen(address.host, address.port, MOST_CALLERS)
        threading.Thread(target=self._accept, daemon=True).start()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any, /) -> int:
        """Send whole messages; the rest waits for more.

        Raises:
            SrtError: if the server that was called is gone.
        """
        given = self._rest + bytes(data)
        whole = len(given) // PAYLOAD * PAYLOAD
        for at in range(0, whole, PAYLOAD):
            self._send(given[at : at + PAYLOAD])
        self._rest = given[whole:]
        return len(data)

    def link(self) -> Link | None:
        """How the network does: the slowest way, and what was lost on all; ``None`` before."""
        with self._changing:
            figures = [found for one in self._peers if (found := one.statistics()) is not None]
            if not figures and self._gone.rtt is None:
                return None
            return _together([*figures, self._gone])

    def close(self) -> None:
        """Send the rest, and end."""
        if self.closed:
            return
        try:
            if self._rest:
                self._send(self._rest)
                self._rest = b""
            if self._address.mode == "caller":
                self._arrived()
        except SrtError:
            pass
        finally:
            super().close()
            for one in (*self._peers, self._own):
                one.close()

    def _arrived(self) -> None:
        """Wait until what was sent has been taken."""
        until = time.monotonic() + END_S
        while self._own.connected and self._own.unsent and time.monotonic() < until:
            time.sleep(0.02)

    def _send(self, message: bytes) -> None:
        if self._address.mode == "caller":
            self._own.send(message)
            return
        for one in tuple(self._peers):
            try:
                one.send(message)
            except SrtError:
                self._leave(one)

    def _leave(self, peer: SrtSocket) -> None:
        with self._changing:
            if (found := peer.statistics()) is not None:
                self._gone = _together([self._gone, found])
            self._peers.remove(peer)
        peer.close()

    def _decide(self, handle: int, host: str, stream_id: str) -> int:
        if self._address.stream_id not in ("", stream_id):
            return FORBIDDEN
        return OVERLOAD if len(self._peers) >= MOST_CALLERS else 0

    def _accept(self) -> None:
        while not self.closed:
            try:
                peer = self._own.accept()
                peer.never_wait()
            except SrtError:
                return
            with self._changing:
                self._peers.append(peer)


def _together(links: list[Link]) -> Link:
    rtts = [link.rtt for link in links if link.rtt is not None]
    return Link(
        max(rtts, default=None),
        sum(link.lost for link in links),
        sum(link.resent for link in links),
        sum(link.dropped for link in links),
    )
