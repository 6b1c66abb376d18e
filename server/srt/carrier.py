"""The process that receives by SRT, as those know it who start it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Mapping
from typing import Any

from server.addresses.srt_address import SrtAddress
from server.srt.library import SrtError
from server.srt.process import LONGEST_NOTE
from stream.flow import bare_process
from stream.live.link import Link

_START = "import sys; sys.path[:0] = sys.argv[1:]; from server.srt.process import main; main()"

_INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME", "PATH")

EXIT_S = 5.0


class Carrier:
    """Starts the process and tells it what to do; its command line holds nothing of that.

    Args:
        address: to call, or to listen on.
        idle: seconds without media after which a connection is over.
        most: connections at a time.

    Raises:
        SrtError: if no process can be started.
    """

    def __init__(self, address: SrtAddress, *, idle: float, most: int = 1) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = bare_process.start(_START, theirs, _INHERITED)
            except OSError as error:
                self.control.close()
                raise SrtError(f"no process can be started for SRT: {error.strerror}") from error
        self._tell(
            {
                "host": address.host,
                "port": address.port,
                "mode": address.mode,
                "latency": address.latency,
                "passphrase": address.passphrase,
                "stream_id": address.stream_id,
                "key_length": address.key_length,
                "idle": idle,
                "most": most,
            }
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def hear(self) -> tuple[dict[str, Any], socket.socket | None]:
        """The next note of the process, with a connection if it came with one; blocks.

        Returns:
            The note; empty once the process is gone.

        Raises:
            BlockingIOError: if there is none now, where the socket does not block.
            TimeoutError: if the socket has a time-out.
        """
        try:
            data, files, _, _ = socket.recv_fds(self.control, LONGEST_NOTE, 1)
        except ConnectionError:
            return {}, None
        connection = socket.socket(fileno=files[0]) if files else None
        return (json.loads(data) if data else {}), connection

    def answer(self, handle: int, code: int) -> None:
        """Say whether a caller may come in: 0, or a reason to refuse it."""
        self._tell({"of": handle, "code": code})

    def close(self) -> None:
        """End the process and all its connections; idempotent."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_S)
        self.control.close()

    def _tell(self, what: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it is gone, which is told when it is heard
            self.control.send(json.dumps(what).encode())


def link_of(figures: list[Any]) -> Link:
    """What a note of statistics says."""
    rtt, lost, resent, dropped = figures
    return Link(rtt, lost, resent, dropped)


class Carried:
    """What a connection brings, to be read in one thread; any other may end it.

    Args:
        connection: that the process fills.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reading = threading.Lock()

    def read(self, size: int, /) -> bytes:
        """The next bytes as they come, at most ``size``; none at the end."""
        with self._reading:
            try:
                return self._connection.recv(size)
            except OSError:
                return b""

    def close(self) -> None:
        """Break off: a read under way ends. Idempotent."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        with self._reading:
            self._connection.close()
