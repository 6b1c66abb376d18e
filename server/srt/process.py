"""A process of its own that receives by SRT: ``server.srt.carrier`` starts it.

libsrt reads what strangers send, so that it had better be where nothing else is, and be started
again if it falls. What to do comes as a first message on a socket, secrets included. Each
connection becomes a stream of bytes, whose other end is handed over with it: who does not read
holds up that one publisher, and nothing is held here.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import resource
import socket
import threading
from collections.abc import Mapping
from typing import Any

from server.srt.library import (
    LONGEST_MESSAGE,
    OVERLOAD,
    Library,
    SrtError,
    SrtSocket,
)
from stream.flow.bare_process import give_up

LONGEST_NOTE = 16 << 10
"""Bytes of a message between the two processes."""

DECIDED_S = 1.0
"""Time in which whoever started this has to say whether a caller may come in."""

STATISTICS_S = 1.0

CALL_S = 8.0
"""Time for a server to answer."""

BACKLOG = 32

HELD = 256 << 10
"""Bytes of a connection that wait between the two processes."""

LIMITS = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 512}
"""Carrying takes no file."""


class Receiver:
    """Carries what connections bring.

    Args:
        control: to whoever started this.
        asked: what to do; see `server.srt.carrier`.
    """

    def __init__(self, control: socket.socket, asked: Mapping[str, Any]) -> None:
        self._control, self._asked = control, asked
        self._library = Library()
        self._connections: dict[int, SrtSocket] = {}
        self._answers: dict[int, queue.SimpleQueue[int]] = {}

    def run(self) -> None:
        """Do it, until nobody wants it any more.

        Raises:
            SrtError: if it cannot be begun.
        """
        asked = self._asked
        own = self._library.socket(
            latency=asked["latency"],
            passphrase=asked["passphrase"],
            key_length=asked["key_length"],
        )
        if asked["mode"] == "listener":
            own.on_call(self._decide)
            port = own.listen(asked["host"], asked["port"], BACKLOG)
            self._tell({"listening": port})
            threading.Thread(target=self._accept, args=(own,), daemon=True).start()
        else:
            own.connect(asked["host"], asked["port"], stream_id=asked["stream_id"], timeout=CALL_S)
            self._begin(own)
        threading.Thread(target=self._report, daemon=True).start()
        self._listen_to_owner()

    def _listen_to_owner(self) -> None:
        while note := self._control.recv(LONGEST_NOTE):
            answer = json.loads(note)
            waiting = self._answers.get(answer["of"])
            if waiting is not None:
                waiting.put(answer["code"])

    def _decide(self, handle: int, host: str, stream_id: str) -> int:
        """Ask whoever started this; in the library's thread, which all callers share."""
        if len(self._connections) >= self._asked["most"]:
            return OVERLOAD
        answer = self._answers[handle] = queue.SimpleQueue()
        self._tell({"ask": handle, "host": host, "stream_id": stream_id[:600]})
        try:
            return answer.get(timeout=DECIDED_S)
        except queue.Empty:
            return OVERLOAD
        finally:
            del self._answers[handle]

    def _accept(self, listening: SrtSocket) -> None:
        while True:
            try:
                self._begin(listening.accept())
            except SrtError:
                continue

    def _begin(self, connection: SrtSocket) -> None:
        connection.patience(self._asked["idle"])
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD)
        self._connections[connection.handle] = connection
        with theirs:
            self._tell({"connected": connection.handle}, theirs)
        threading.Thread(target=self._carry, args=(connection, ours), daemon=True).start()

    def _carry(self, connection: SrtSocket, into: socket.socket) -> None:
        data = ctypes.create_string_buffer(LONGEST_MESSAGE)
        view = memoryview(data).cast("B")
        with into, contextlib.suppress(OSError):
            while got := connection.receive(data):
                into.sendall(view[:got])
        self._connections.pop(connection.handle, None)
        self._tell({"gone": connection.handle})
        connection.close()

    def _report(self) -> None:
        pause = threading.Event()
        while not pause.wait(STATISTICS_S):
            for handle, connection in tuple(self._connections.items()):
                found = connection.statistics()
                if found is not None:
                    figures = [found.rtt, found.lost, found.resent, found.dropped]
                    self._tell({"statistics": handle, "figures": figures})

    def _tell(self, what: Mapping[str, Any], file: socket.socket | None = None) -> None:
        note = json.dumps(what).encode()
        if file is not None:
            socket.send_fds(self._control, [note], [file.fileno()])
            return
        # Where nobody reads statistics, nothing waits for that.
        flags = socket.MSG_DONTWAIT if "statistics" in what else 0
        with contextlib.suppress(OSError):
            self._control.send(note, flags)


def main() -> None:
    """Do what the first message asks for."""
    control = socket.socket(fileno=0)
    asked = json.loads(control.recv(LONGEST_NOTE))
    try:
        receiver = Receiver(control, asked)
        give_up(LIMITS)
        receiver.run()
    except SrtError as error:
        with contextlib.suppress(OSError):
            control.send(json.dumps({"failed": str(error)}).encode())
    except OSError:
        pass  # nobody listens any more
    finally:
        # libsrt, told that the process ends, would wait for the threads that wait for it.
        os._exit(0)
