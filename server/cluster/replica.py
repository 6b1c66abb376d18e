"""What runs on the cluster: one copy of the models of a kind; the most urgent call comes first."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from server.cluster.clips import Received
from server.cluster.earliest_first import Asked, EarliestFirst, Pace, Refused
from server.cluster.recipe import config_of
from server.cluster.records import Answer, Clips, Described, Failure, Load, Request
from server.config import Config
from server.engines.pool import EnginePool
from server.engines.shared import Served
from stages.base import (
    AlternativeTranslator,
    ContinuingTranslator,
    EngineError,
    MultilingualRecogniser,
    SeveralVoices,
    SpeechTranslator,
)
from stages.speakers.voice_collection import PREFIX
from stages.temporary import remove_leftovers
from stream.errors import message
from stream.frames import Manner

if TYPE_CHECKING:
    from server.cluster.exported import Exported

IDLE_S = 600.0
"""Seconds after its last call at which an engine that nobody preloaded may make way for others."""

_ABLE = {"alternatives": AlternativeTranslator, "continuations": ContinuingTranslator}
"""Methods that an engine may lack: what they give is then nothing."""


@dataclass(slots=True)
class _Loaded:
    loading: asyncio.Task[Served]
    used: float
    paces: dict[str, Pace]


class Replica:
    """Engines of one kind, made from recipes; Ray Serve makes one of these in each process.

    Args:
        kind: ``asr``, ``mt``, ``tts`` or ``speakers``.
        recipes: of the engines to load before the first call.
        name: of the replica, if not the one that Ray Serve gave it.
        others: deployments of the same application, which hang together by being given.

    Raises:
        EngineError: if one of them cannot be loaded on this node.
    """

    async def __init__(  # type: ignore[misc]  # Ray Serve awaits it
        self, kind: str, recipes: Sequence[str] = (), name: str = "", *others: Any
    ) -> None:
        remove_leftovers(PREFIX)
        self._kind = kind
        self._name = name or _own_name()
        self._exported = None if name else _exported(kind)
        self._pool = EnginePool()
        self._turns = EarliestFirst()
        self._loaded: dict[tuple[str, str], _Loaded] = {}
        self._received = Received()
        self._kept = set(recipes)
        for recipe in recipes:
            await self._engine(recipe)

    async def describe(self, request: Request) -> Answer:
        """Load the engine of a request, if it is not, and say what it is."""
        try:
            served = await self._engine(request.recipe, request.clips)
        except EngineError as error:
            return self._answer(Failure(str(error)))
        return self._answer(_described(served, config_of(request.recipe)))

    async def call(self, request: Request) -> Answer:
        """The result of a method."""
        arrived = _now()
        try:
            served, pace = await self._ready(request)
            kind = _ABLE.get(request.method)
            if kind is not None and not isinstance(served.engine, kind):
                return self._answer([])
            async with self._turns.turn(_asked(request, arrived, pace)):
                began = _now()
                async with served.use(request.owner) as engine:
                    method = getattr(engine, request.method)
                    value = await method(*map(_own, request.arguments), **request.named)
                took = _now() - began
                pace.observe(request.units, took, took)
                self._took(took)
        except Exception as error:
            return self._answer(_failure(error))
        return self._answer(value)

    async def speak(self, request: Request) -> AsyncGenerator[Answer, None]:
        """The speech of a text, in pieces as they are made."""
        arrived = _now()
        try:
            served, pace = await self._ready(request)
            text, manner = request.arguments
            async with self._turns.turn(_asked(request, arrived, pace)):
                began, first = _now(), None
                manner = await self._manner(request, arrived, manner)
                async with (
                    served.use(request.owner) as engine,
                    contextlib.aclosing(engine.synthesise(text, manner)) as pieces,
                ):
                    async for piece in pieces:
                        first = first or _now() - began
                        yield replace(self._answer(piece), rate=engine.sample_rate)
                took = _now() - began
                pace.observe(request.units, first or took, took)
                self._took(took)
        except Exception as error:
            yield self._answer(_failure(error))

    async def load(self, request: Request) -> Load:
        """What there is to do."""
        engines = [one.loading.result().name for one in self._loaded.values() if _is_there(one)]
        names = tuple(sorted(set(engines)))
        if self._exported is not None:
            self._exported.tell(self._turns.queued, self._turns.refused)
        return Load(self._name, self._turns.queued, self._turns.refused, names)

    async def _ready(self, request: Request) -> tuple[Served, Pace]:
        """The engine of a request, and how long its method takes."""
        served = await self._engine(request.recipe, request.clips)
        paces = self._loaded[_key(request.recipe, request.clips)].paces
        return served, paces.setdefault(request.method, Pace())

    async def _manner(self, request: Request, arrived: float, manner: Manner) -> Manner:
        left = request.left - (_now() - arrived)
        deadline = None if math.isinf(left) else time.monotonic() + left
        voice = manner.voice
        if request.voice is not None:
            voice = await self._received.folder(request.voice)
        return replace(manner, deadline=deadline, voice=voice)

    async def _engine(self, recipe: str, clips: Clips | None = None) -> Served:
        """The engine of a recipe; loading goes on where the caller gives up."""
        now = _now()
        key = _key(recipe, clips)
        found = self._loaded.get(key)
        if found is None or (found.loading.done() and _failed(found.loading)):
            self._make_way(now)
            task = asyncio.create_task(self._load(recipe, clips), name=f"load {self._kind}")
            task.add_done_callback(_failed)  # whoever asks is told
            found = self._loaded[key] = _Loaded(task, now, {})
        found.used = now
        return await asyncio.shield(found.loading)

    async def _load(self, recipe: str, clips: Clips | None) -> Served:
        config = config_of(recipe)
        if clips is not None:
            tts = config.tts.model_copy(update={"voice": await self._received.folder(clips)})
            config = config.model_copy(update={"tts": tts})
        return await self._pool.engine(self._kind, config, " ".join(_key(recipe, clips)))

    def _make_way(self, now: float) -> None:
        for key, one in list(self._loaded.items()):
            if now - one.used > IDLE_S and key[0] not in self._kept:
                del self._loaded[key]
                self._pool.release(" ".join(key))

    def _took(self, seconds: float) -> None:
        if self._exported is not None:
            self._exported.called(seconds)

    def _answer(self, value: Any) -> Answer:
        return Answer(value, self._name, self._turns.queued)


def _key(recipe: str, clips: Clips | None) -> tuple[str, str]:
    return recipe, "" if clips is None else clips.digest


def _asked(request: Request, now: float, pace: Pace) -> Asked:
    whole, first = pace.whole * request.units, pace.first * request.units
    return Asked(request.owner, now + request.left, now + request.worth, whole, first)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _own(argument: Any) -> Any:
    """An array that may be written to: those out of Ray's store may not."""
    return argument.copy() if isinstance(argument, np.ndarray) else argument


def _failure(error: Exception) -> Failure:
    return Failure(message(error), late=isinstance(error, Refused))


def _failed(task: asyncio.Task[Served]) -> bool:
    return task.cancelled() or task.exception() is not None


def _is_there(one: _Loaded) -> bool:
    return one.loading.done() and not _failed(one.loading)


def _exported(kind: str) -> Exported:
    from server.cluster.exported import Exported  # which needs Ray

    return Exported(kind)


def _own_name() -> str:
    from ray import serve

    return str(serve.get_replica_context().replica_id.unique_id)


def _described(served: Served, config: Config) -> Described:
    engine = served.engine
    told = Described(served.name, served.pace)
    if isinstance(engine, MultilingualRecogniser):
        told = replace(told, known=tuple(engine.known))
    if isinstance(engine, SpeechTranslator):
        told = replace(told, cost=engine.cost)
    if served.kind != "tts":
        return told
    return replace(
        told,
        sample_rate=engine.sample_rate,
        rate_range=engine.rate_range,
        characters_per_second=engine.characters_per_second,
        clones=engine.clones,
        registers=dict(engine.registers) if isinstance(engine, SeveralVoices) else {},
        refused=_refused(engine, config),
    )


def _refused(engine: Any, config: Config) -> dict[str, str]:
    """The voices of the configuration that a synthesiser does not have."""
    refused = {}
    for name in config.tts.voices.values():
        if name == "default":
            continue
        try:
            engine.check_voice(name)
        except EngineError as error:
            refused[name] = str(error)
    return refused
