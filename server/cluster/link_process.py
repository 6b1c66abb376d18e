"""A process of its own that belongs to a Ray cluster: ``python -m server.cluster.link_process``.

Ray ends every process that has lost its head for a minute, and what it remembers of a cluster only
a new process is free of. So a daemon speaks to Ray through this one, and starts another when it is
gone. Its arguments are the number of its socket, the cluster's address, the application and its
kinds of models.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import sys
import time
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import replace
from typing import Any

import ray
from ray import serve
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle

from server.cluster.application import connect
from server.cluster.earliest_first import Pace
from server.cluster.records import Answer, Clips, Failure, Load, Request
from server.cluster.replicas import replicas_of
from server.cluster.wire import Ask, Cancel, Forget, State, Told, Wire
from stream.errors import message

EVERY_S = 1.0
"""Seconds between two looks at what replicas have to do."""

LOOKS = 3
"""Looks in a row at which nobody has answered, after which nobody is taken to be there."""

SILENT_S = 2.0
"""Seconds within which a replica says what it has to do, unless it is gone."""

KEPT = 64
"""Engines that replicas started later are to have as well."""

LOAD_S = 1800.0
"""Longest that a replica may take to load an engine."""


class Link:
    """Passes calls on to replicas, and looks after which there are.

    Args:
        wire: to the daemon.
        app: name of the Serve application.
    """

    def __init__(self, wire: Wire, app: str) -> None:
        self._wire = wire
        self._app = app
        self._handles: dict[str, DeploymentHandle[Any]] = {}
        self._paces: dict[tuple[str, str], Pace] = {}
        self._clips: dict[str, Any] = {}
        self._described: dict[tuple[str, str, str], Request] = {}
        self._prepared: set[tuple[str, str]] = set()
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._preparing: set[asyncio.Task[Any]] = set()

    async def run(self, kinds: list[str]) -> None:
        """Work until the daemon is gone."""
        watches = [asyncio.create_task(self._watch(kind)) for kind in kinds]
        with contextlib.suppress(EOFError):
            while True:
                self._take(await self._wire.receive())
        for task in [*watches, *self._calls.values(), *self._preparing]:
            task.cancel()

    def _take(self, told: Any) -> None:
        match told:
            case Ask():
                task = asyncio.create_task(self._answer(told))
                self._calls[told.request.number] = task
            case Cancel():
                if (call := self._calls.get(told.number)) is not None:
                    call.cancel()
            case Clips():
                self._clips[told.digest] = ray.put(dict(told.files))
            case Forget():
                self._clips.pop(told.digest, None)

    async def _answer(self, ask: Ask) -> None:
        number = ask.request.number
        request = replace(
            ask.request, clips=self._held(ask.request.clips), voice=self._held(ask.request.voice)
        )
        try:
            async for answer, last in self._tried(ask.kind, ask.method, request):
                self._wire.send(Told(number, answer, last))
        except Exception as error:
            self._wire.send(Told(number, Answer(Failure(message(error), lost=True))))
        finally:
            del self._calls[number]

    def _held(self, clips: Clips | None) -> Clips | None:
        """The same with a reference in Ray's store, which replicas fetch from if they need to."""
        return clips and Clips(clips.digest, self._clips.get(clips.digest))

    async def _tried(
        self, kind: str, method: str, request: Request
    ) -> AsyncGenerator[tuple[Answer, bool], None]:
        """Answers of one replica or, if it is lost before the first and time is left, another."""
        began = time.monotonic()
        pace = self._paces.setdefault((kind, request.method), Pace())
        request = replace(request, seconds=pace.whole * request.units)
        for last_try in (False, True):
            heard = False
            try:
                async for answer, last in self._once(kind, method, request):
                    heard = True
                    yield answer, last
                took = time.monotonic() - began
                pace.observe(request.units, took, took)
                replicas_of(kind).forget(request.number)
                return
            except (BackPressureError, TimeoutError) as error:
                full = isinstance(error, BackPressureError)
                reason = "too many calls wait already" if full else "nothing came in time"
                yield Answer(Failure(reason, late=True)), True
                return
            except Exception as error:
                went = replicas_of(kind).forget(request.number)
                passed = time.monotonic() - began
                left = request.worth - passed
                if last_try or heard or left < request.seconds:
                    reason = f"the replica is lost: {message(error).splitlines()[0]}"
                    yield Answer(Failure(reason, lost=True)), True
                    return
                request = replace(request, avoid=went, left=request.left - passed, worth=left)

    async def _once(
        self, kind: str, method: str, request: Request
    ) -> AsyncGenerator[tuple[Answer, bool], None]:
        if kind not in self._handles or not replicas_of(kind).ids:
            yield Answer(Failure("there is no replica", lost=True)), True
            return
        handle = self._handles[kind].options(method_name=method, stream=method == "speak")
        if method == "describe":
            answer: Answer = await _result(handle.remote(request), LOAD_S)
            if not isinstance(answer.value, Failure):
                self._prepared.add((answer.replica, request.recipe))
                digest = request.clips.digest if request.clips else ""
                self._described[kind, request.recipe, digest] = replace(request, number=0)
                if len(self._described) > KEPT:
                    del self._described[next(iter(self._described))]
            yield answer, True
        elif method == "call":
            answer = await _result(handle.remote(request), _finite(request.worth))
            self._note(kind, answer)
            yield answer, True
        else:
            async for answer in _pieces(handle.remote(request)):
                self._note(kind, answer)
                yield answer, isinstance(answer.value, Failure)
                if isinstance(answer.value, Failure):
                    return
            yield Answer(None), True

    def _note(self, kind: str, answer: Answer) -> None:
        replicas_of(kind).heard(answer.replica, answer.queued)

    async def _watch(self, kind: str) -> None:
        """Ask every replica again and again what it has to do; a daemon believes what it hears."""
        silent = LOOKS  # until the first is heard, there is none
        while True:
            began = time.monotonic()
            try:
                loads, why = await self._loads(kind), "no replica answers"
            except Exception as error:
                loads, why = (), message(error).splitlines()[0]
            silent = 0 if loads else silent + 1
            failure = None if loads else Failure(why, lost=True)
            if loads or silent >= LOOKS or not replicas_of(kind).ids:
                self._wire.send(State(kind, loads, failure))
            await asyncio.sleep(max(EVERY_S - (time.monotonic() - began), 0.1))

    async def _loads(self, kind: str) -> tuple[Load, ...]:
        if kind not in self._handles:
            # It asks the controller, which may be gone just now.
            found = await asyncio.to_thread(serve.get_deployment_handle, kind, self._app)
            await _result(found.load.remote(Request("", "", (), "")), SILENT_S)
            self._handles[kind] = found
        asked = [self._load(kind, replica) for replica in replicas_of(kind).ids]
        heard = await asyncio.gather(*asked, return_exceptions=True)
        loads = tuple(one for one in heard if isinstance(one, Load))
        for load in loads:
            replicas_of(kind).heard(load.replica, load.queued)
            self._prepare(kind, load.replica)
        return loads

    async def _load(self, kind: str, replica: str) -> Load:
        response = self._handles[kind].load.remote(Request("", "", (), "", only=replica))
        load: Load = await _result(response, SILENT_S)
        return load

    def _prepare(self, kind: str, replica: str) -> None:
        """Have a replica load what others of its kind have loaded for us."""
        for (of, recipe, _), request in self._described.items():
            if of == kind and (replica, recipe) not in self._prepared:
                self._prepared.add((replica, recipe))
                handle = self._handles[kind].describe
                response = handle.remote(replace(request, only=replica))
                task = asyncio.create_task(_quietly(_result(response, LOAD_S)))
                self._preparing.add(task)
                task.add_done_callback(self._preparing.discard)


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else max(seconds, 0.0)


async def _result(response: Any, limit: float | None) -> Any:
    """The result of a call, which is cancelled at its replica where nobody waits any more."""
    try:
        async with asyncio.timeout(limit):
            return await response
    except (asyncio.CancelledError, TimeoutError):
        response.cancel()
        raise


async def _pieces(response: Any) -> AsyncGenerator[Answer, None]:
    ended = False
    try:
        async for piece in response:
            yield piece
        ended = True
    finally:
        if not ended:
            response.cancel()


async def _quietly(work: Awaitable[Any]) -> None:
    with contextlib.suppress(Exception):
        await work


async def _main(number: int, address: str, app: str, kinds: list[str]) -> None:
    wire = await Wire.over(socket.socket(fileno=number))
    await Link(wire, app).run(kinds)


if __name__ == "__main__":
    _number, _address, _app, *_kinds = sys.argv[1:]
    connect(_address)
    asyncio.run(_main(int(_number), _address, _app, _kinds))
    os._exit(0)  # Ray's own end may wait for a head that is gone
