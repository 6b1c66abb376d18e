"""What a daemon and its link process say to each other, over a pair of sockets of their own."""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

from server.cluster.records import Answer, Clips, Failure, Load, Request

_LENGTH = struct.Struct(">Q")
_LARGEST = 1 << 30

_BUFFER = 4 << 20
"""Bytes that are read at a go: half a minute of sound, which would else come in many."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Have a method of a kind's replicas called: ``describe``, ``call`` or ``speak``."""

    kind: str
    method: str
    request: Request


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for a call any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Recordings are not needed any more."""

    digest: str


@dataclass(frozen=True, slots=True)
class Told:
    """An answer to a call; the last one of it, or one of several."""

    number: int
    answer: Answer
    last: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """What the replicas of a kind have to do, or why there are none."""

    kind: str
    loads: tuple[Load, ...]
    failure: Failure | None = None


Message = Ask | Cancel | Clips | Forget | Told | State


class Wire:
    """One end of the pair. It is between a process and its own child, so records are pickled."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @staticmethod
    async def over(end: socket.socket) -> Wire:
        """The wire over one end."""
        return Wire(*await asyncio.open_connection(sock=end, limit=_BUFFER))

    def send(self, message: Message) -> None:
        """Send, in order; what the other end does not take is kept."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._writer.write(_LENGTH.pack(len(data)) + data)

    async def receive(self) -> Any:
        """The next message.

        Raises:
            EOFError: if the other end is gone.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > _LARGEST:
                raise EOFError
            return pickle.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise EOFError from None

    def close(self) -> None:
        """Close this end."""
        self._writer.close()
