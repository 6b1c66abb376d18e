"""SRT publishers at one port of the daemon's, told apart by their stream id, which is their key."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from server.access import Admit, Choose, whichever
from server.addresses.srt_address import SrtAddress
from server.problems import Problem
from server.refusals import Refusals
from server.srt.carrier import Carrier, link_of
from server.srt.connection import START_S, SrtConnection
from server.srt.library import FORBIDDEN, SrtError
from server.srt.options import SrtOptions
from stream.errors import cause
from stream.media.live_input import Reader

_log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""Wait before a process that has fallen is started again, doubled every time."""

MOST_CALLERS = 256
"""Callers that may be between their key and their connection."""

STEADY_S = 60.0
"""A process that ran for so long has left its earlier falls behind."""


class SrtIngest:
    """An SRT listener for publishers at ``srt://host:port?streamid=KEY``.

    Args:
        host: address to listen on.
        port: UDP port; 0 takes a free one.
        find: the session's name by its key, ``None`` if it is nobody's.
        admit: lets a publisher in.
        options: see ``SrtOptions``.
        refusals: told of who is turned away.
        reader: where their media is read.
        choose: which of several sounds is dubbed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        find: Callable[[str], str | None],
        admit: Admit,
        options: SrtOptions | None = None,
        refusals: Refusals | None = None,
        reader: Reader = "thread",
        choose: Choose = whichever,
    ) -> None:
        options = options or SrtOptions()
        self._address = SrtAddress(
            host, port, "listener", options.latency, options.passphrase or ""
        )
        self.port = port
        """The port listened on."""
        self._find, self._admit, self._options = find, admit, options
        self._refusals, self._reader = refusals or Refusals(), reader
        self._choose = choose
        self._carrier: Carrier | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._callers: dict[int, tuple[str, str]] = {}
        """Session and host of those who have shown a key and are not connected yet."""
        self._connections: dict[int, SrtConnection] = {}
        self._letting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            SrtError: if there is no SRT here, or the port cannot be listened on.
        """
        try:
            self._carrier = await self._listening()
        except SrtError as error:
            raise SrtError(f"{error} (serve.srt_port)") from None
        self._keeping = asyncio.create_task(self._keep(self._carrier), name="srt")

    @property
    def pid(self) -> int | None:
        """Of the process that listens; ``None`` while there is none."""
        return self._carrier.pid if self._carrier is not None else None

    async def aclose(self) -> None:
        """Listen no more, and disconnect everyone."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._carrier is not None:
            await asyncio.to_thread(self._carrier.close)
        for task in self._letting:
            task.cancel()
        await asyncio.gather(*self._letting, return_exceptions=True)

    async def _listening(self) -> Carrier:
        address, options = self._address, self._options
        carrier = await asyncio.to_thread(
            Carrier, address, idle=options.idle, most=options.connections
        )
        try:
            carrier.control.settimeout(START_S)
            note, _ = await asyncio.to_thread(carrier.hear)
            if "listening" not in note:
                raise SrtError(note.get("failed", "the process for SRT has ended"))
            carrier.control.setblocking(False)
        except TimeoutError:
            await asyncio.to_thread(carrier.close)
            raise SrtError("the process for SRT does not start") from None
        except BaseException:
            await asyncio.to_thread(carrier.close)
            raise
        # Where it was any port, it is this one from now on.
        self.port = note["listening"]
        self._address = SrtAddress(
            address.host, self.port, "listener", address.latency, address.passphrase
        )
        return carrier

    async def _keep(self, carrier: Carrier) -> None:
        """Heed the process, and start another when it has fallen."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE_S
        while True:
            began = loop.time()
            try:
                await self._heed(carrier)
            finally:
                self._carrier = None
                await asyncio.to_thread(carrier.close)
                for connection in tuple(self._connections.values()):
                    await connection.aclose()
                self._connections.clear()
                self._callers.clear()
            pause = FIRST_PAUSE_S if loop.time() - began > STEADY_S else pause
            while True:
                _log.warning("the process for SRT has ended; starting another in %.0f s", pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                try:
                    carrier = self._carrier = await self._listening()
                    break
                except SrtError as error:
                    _log.warning("SRT cannot listen: %s", error)

    async def _heed(self, carrier: Carrier) -> None:
        """Do what the process asks for until it is gone."""
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        loop.add_reader(carrier.control, told.set)
        try:
            while True:
                try:
                    note, connection = carrier.hear()
                except BlockingIOError:
                    told.clear()
                    await told.wait()
                    continue
                if not note:
                    return
                if connection is not None:
                    self._connected(note["connected"], connection)
                elif "ask" in note:
                    carrier.answer(note["ask"], self._decide(note))
                elif note.get("statistics") in self._connections:
                    self._connections[note["statistics"]].link = link_of(note["figures"])
                elif "gone" in note:
                    self._connections.pop(note["gone"], None)
        finally:
            loop.remove_reader(carrier.control)

    def _decide(self, note: dict[str, Any]) -> int:
        """0 for whoever shows a key; in the library's thread all callers wait meanwhile."""
        host = str(note["host"])
        session = self._find(key_in(str(note["stream_id"])))
        if session is None:
            self._refusals.note(host, "a wrong key or token was shown to SRT")
            return FORBIDDEN
        self._callers[note["ask"]] = session, host
        if len(self._callers) > MOST_CALLERS:  # some never came after all
            del self._callers[next(iter(self._callers))]
        return 0

    def _connected(self, handle: int, connection: socket.socket) -> None:
        session, host = self._callers.pop(handle, (None, None))
        if session is None or host is None:
            connection.close()
            return
        name = f"SRT to session {session}"
        publisher = SrtConnection(name, connection, self._reader, *self._choose(session))
        self._connections[handle] = publisher
        task = asyncio.create_task(self._let_in(session, host, publisher))
        self._letting.add(task)
        task.add_done_callback(self._letting.discard)

    async def _let_in(self, session: str, host: str, publisher: SrtConnection) -> None:
        try:
            await self._admit(session, publisher)
            _log.info("a publisher came by SRT from %s", host)
        except (Problem, KeyError) as error:
            reason = error.detail if isinstance(error, Problem) else "the session has ended"
            self._refusals.note(host, f"an SRT publisher was refused: {reason}")
            await publisher.aclose()
        except BaseException as error:
            await publisher.aclose()
            if not isinstance(error, asyncio.CancelledError):
                _log.exception("an SRT publisher could not be let in: %s", cause(error))
            raise


def key_in(stream_id: str) -> str:
    """The key that a stream id shows: as it is, or as the resource of SRT's access control.

    That is ``#!::r=KEY,m=publish``, of which the order and other fields do not matter.
    """
    if not stream_id.startswith("#!::"):
        return stream_id
    given = dict(part.split("=", 1) for part in stream_id[4:].split(",") if "=" in part)
    return given.get("r", "") if given.get("m", "publish") == "publish" else ""
