"""Engines that are on a cluster: they keep the contracts of those that are here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

from server.cluster.clips import Recordings
from server.cluster.link import Link
from server.cluster.proxies import proxy
from server.cluster.records import Answer, Clips, Described, Failure, Request
from server.engines.shared import Served
from stages.base import EngineError, Synthesiser
from stream.clock.due import DUE
from stream.dub.job import TooLate
from stream.frames import Manner, Samples
from stream.sound.resample import Resampler


class RemoteEngine:
    """An engine of the cluster and, while there is none, one that serves instead of it.

    Args:
        kind: of the registry.
        recipe: what it is made from.
        clips: of the voice that it is made for, if that is a recording.
        described: as a replica has told, or as it is taken to be until one can.
        max_late: seconds after its time for which a dub is of use.
        link: to the cluster.
        recordings: of voices.
        instead: of it.
    """

    def __init__(
        self,
        kind: str,
        recipe: str,
        clips: Clips | None,
        described: Described,
        max_late: float,
        link: Link,
        recordings: Recordings,
        instead: Served | None,
    ) -> None:
        self.kind = kind
        self.name = described.engine
        self.pace = described.pace
        self.described = described
        self.owners: set[str] = set()
        self.idle_since = 0.0
        self.waiting = 0
        self.recordings = recordings
        self.instead = instead
        self._recipe = recipe
        self._clips = clips
        self._max_late = max_late
        self._link = link
        self.engine: Any = proxy(kind, described, Calls(self, ""))

    @contextlib.asynccontextmanager
    async def use(self, owner: str) -> AsyncIterator[Any]:
        """The engine, for one call of ``owner``'s; many may be under way."""
        self.waiting += 1
        try:
            yield proxy(self.kind, self.described, Calls(self, owner))
        finally:
            self.waiting -= 1

    async def aclose(self) -> None:
        """The cluster keeps it."""

    def ask(self, request: Request) -> AsyncGenerator[Answer, None]:
        """Have a method called by what time is left; stages give up by themselves."""
        left = DUE.get() - asyncio.get_running_loop().time()
        whole = replace(
            request,
            recipe=self._recipe,
            clips=self._clips,
            left=left,
            worth=max(left + self._max_late, 0.0),
        )
        way = "speak" if request.method == "synthesise" else "call"
        return self._link.ask(self.kind, way, whole)


class Calls:
    """One owner's calls of an engine."""

    def __init__(self, engine: RemoteEngine, owner: str) -> None:
        self.engine = engine
        self._owner = owner

    async def __call__(self, method: str, units: float, *arguments: Any, **named: Any) -> Any:
        """The result of a method.

        Raises:
            TooLate: if it cannot be in time.
            EngineError: if there is none; it says why.
        """
        value: Any = Failure("nothing came back")
        request = Request("", method, arguments, self._owner, named, units=units)
        async with contextlib.aclosing(self.engine.ask(request)) as answers:
            async for answer in answers:
                value = answer.value
        if not isinstance(value, Failure):
            return value
        if value.lost and self.engine.instead is not None:
            async with self.engine.instead.use(self._owner) as local:
                if not hasattr(local, method):
                    return []
                return await getattr(local, method)(*arguments, **named)
        raise _fault(self.engine.kind, value)

    async def speech(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        """The pieces of a text's speech, at the rate that the engine is taken to have."""
        voice = None
        if manner.voice and self.engine.described.clones:
            voice = await asyncio.to_thread(self.engine.recordings.of, manner.voice)
        sent = replace(manner, voice="" if voice else manner.voice, deadline=None)
        converter: Resampler | None = None
        rate = self.engine.described.sample_rate
        request = Request("", "synthesise", (text, sent), self._owner, units=len(text), voice=voice)
        failure: Failure | None = None
        async with contextlib.aclosing(self.engine.ask(request)) as answers:
            async for answer in answers:
                if isinstance(answer.value, Failure):
                    failure = answer.value
                elif answer.value is not None:
                    converter = converter or Resampler(answer.rate, rate)
                    yield converter.push(answer.value)
        if failure is None:
            if converter is not None and len(rest := converter.flush()):
                yield rest
            return
        if not failure.lost or converter is not None or self.engine.instead is None:
            raise _fault(self.engine.kind, failure)
        async with contextlib.aclosing(self._instead(text, manner)) as pieces:
            async for piece in pieces:
                yield piece

    async def _instead(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        assert self.engine.instead is not None
        async with self.engine.instead.use(self._owner) as local:
            synthesiser: Synthesiser = local
            converter = Resampler(synthesiser.sample_rate, self.engine.described.sample_rate)
            plain = replace(manner, voice="")  # voices are an engine's own
            async with contextlib.aclosing(synthesiser.synthesise(text, plain)) as pieces:
                async for piece in pieces:
                    yield converter.push(piece)
            yield converter.flush()


def _fault(kind: str, failure: Failure) -> Exception:
    if failure.late:
        return TooLate(f"the cluster refuses: {failure.reason}")
    if failure.lost:
        return EngineError(f"there is no {kind} on the cluster: {failure.reason}")
    return EngineError(failure.reason)
