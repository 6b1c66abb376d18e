"""The daemon's end of its link to a Ray cluster: calls, and whether there is anybody to call."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace

from server.cluster.clips import KEPT
from server.cluster.options import ClusterConfig
from server.cluster.records import Answer, Clips, Failure, Load, Request
from server.cluster.wire import Ask, Cancel, Forget, State, Told, Wire
from stream.errors import message

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 15.0
"""Wait before the link process is started again, doubled each time, up to the latter."""

STEADY_S = 60.0
"""A link process that ran for so long has left earlier failures behind."""

REACH_S = 3.0
"""Seconds within which a head has to accept a connection."""

RENEW_S, LONG_S = 20.0, 300.0
"""Seconds without any replica after which the link process is started anew, if it has met some and
if it has not: one that was there before the head came again does not find what is there now."""

_SILENCE = Failure("Ray does not answer", lost=True)

log = logging.getLogger(__name__)


class Link:
    """The models of a cluster, as far as they can be reached; see `server.cluster.link_process`.

    Args:
        config: with an address.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._wire: Wire | None = None
        self._numbers = itertools.count(1)
        self._calls: dict[int, asyncio.Queue[Told]] = {}
        self._sent: dict[str, None] = {}  # in order
        self._running: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._failed = False
        self._met = False
        self._well = 0.0
        self.states: dict[str, State] = {}

    def start(self) -> None:
        """Begin to connect; that goes on for as long as it takes."""
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="link to the cluster")

    async def aclose(self) -> None:
        """End the link process."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def failure(self, kind: str) -> Failure | None:
        """Why nobody can be asked now; ``None`` where somebody can."""
        if self._wire is None or kind not in self.states:
            return _SILENCE
        return self.states[kind].failure

    def loads(self, kind: str) -> tuple[Load, ...]:
        """What each replica has to do."""
        return self.states[kind].loads if kind in self.states else ()

    async def settle(self, kind: str, patience: float) -> None:
        """Wait until it is known whether there is anybody, for ``patience`` seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while kind not in self.states and not self._failed:
                    await self._changed.wait()

    async def ask(self, kind: str, method: str, request: Request) -> AsyncGenerator[Answer, None]:
        """The answers to one call, which ends with a ``Failure`` if there is no result."""
        if (failure := self.failure(kind)) is not None or self._wire is None:
            yield Answer(failure or _SILENCE)
            return
        number = next(self._numbers)
        answers = self._calls[number] = asyncio.Queue[Told]()
        last = False
        try:
            for clips in filter(None, (request.clips, request.voice)):
                self._send_once(clips)
            lean = replace(
                request, number=number, clips=_lean(request.clips), voice=_lean(request.voice)
            )
            self._wire.send(Ask(kind, method, lean))
            while not last:
                told = await answers.get()
                last = told.last
                yield told.answer
        finally:
            del self._calls[number]
            if not last and self._wire is not None:
                self._wire.send(Cancel(number))

    def _send_once(self, clips: Clips) -> None:
        assert self._wire is not None
        if clips.digest in self._sent:
            return
        if len(self._sent) >= KEPT:
            oldest = next(iter(self._sent))
            del self._sent[oldest]
            self._wire.send(Forget(oldest))
        self._sent[clips.digest] = None
        self._wire.send(clips)

    async def _run(self) -> None:
        clock, pause = asyncio.get_running_loop().time, FIRST_PAUSE_S
        while True:
            began = clock()
            try:
                if await self._answers():
                    await self._once()
            except Exception as error:
                log.error("the link process cannot be had: %s", message(error))
            finally:
                self._lost()
            if clock() - began > STEADY_S:
                pause = FIRST_PAUSE_S
            log.warning("no link to the Ray cluster at %s: again in %.0f s", self._where, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    @property
    def _where(self) -> str:
        return self._config.address or ""

    async def _answers(self) -> bool:
        """Whether somebody listens there at all: a process that finds out is not cheap."""
        host, _, port = self._where.rpartition(":")
        if not port.isdecimal():
            return True  # Ray knows where it is
        try:
            async with asyncio.timeout(REACH_S):
                _, writer = await asyncio.open_connection(host, int(port))
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def _once(self) -> None:
        """One link process, until it ends."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "server.cluster.link_process",
                str(theirs.fileno()),
                self._where,
                self._config.app,
                *self._config.kinds,
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us: sessions play out what has come
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        reading = asyncio.create_task(_last_words(process))
        try:
            self._wire = await Wire.over(ours)
            with contextlib.suppress(EOFError):
                while not self._stale():
                    self._take(await self._wire.receive())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    log.info("the link process has ended: %s", await asyncio.shield(reading))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await reading

    def _stale(self) -> bool:
        """Whether the process may know a head that is another by now."""
        now = asyncio.get_running_loop().time()
        if not self.states or any(one.failure is None for one in self.states.values()):
            self._well, self._met = now, self._met or bool(self.states)
        return now - self._well > (RENEW_S if self._met else LONG_S)

    def _take(self, told: object) -> None:
        match told:
            case Told():
                if (call := self._calls.get(told.number)) is not None:
                    call.put_nowait(told)
            case State():
                before = self.failure(told.kind)
                self.states[told.kind] = told
                self._failed = False
                self._say(told, before)
                self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _say(self, state: State, before: Failure | None) -> None:
        if before is not None and state.failure is None:
            log.info("%s is on the cluster: %d replicas", state.kind, len(state.loads))
        elif before is None and state.failure is not None:
            log.warning("%s is not on the cluster any more: %s", state.kind, state.failure.reason)

    def _lost(self) -> None:
        """Nobody will answer any more."""
        self._failed, self._met = True, False
        if self._wire is not None:
            self._wire.close()
        self._wire = None
        self._sent.clear()
        self.states.clear()
        for number, call in self._calls.items():
            call.put_nowait(Told(number, Answer(_SILENCE)))
        self._tell()


def _lean(clips: Clips | None) -> Clips | None:
    return clips and replace(clips, files=None)


async def _last_words(process: asyncio.subprocess.Process) -> str:
    said = ""
    assert process.stderr is not None
    with contextlib.suppress(ValueError):  # a line too long to be a sentence
        async for line in process.stderr:
            text = line.decode(errors="replace").strip()
            said = text or said
            log.debug("%s", text)
    return said
