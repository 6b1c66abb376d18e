"""One copy of each model for all sessions: shared fairly, and reloaded after repeated failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from server.config import Config, for_proofreader
from server.engines.options import options_of
from server.engines.pooled import (
    PooledEncoder,
    PooledRecogniser,
    PooledSynthesiser,
    PooledTranslator,
)
from server.engines.shared import SharedEngine
from server.engines.warm_up import warm_up
from stages.base import (
    EngineError,
    Recogniser,
    SpeakerEncoder,
    SpeechDetector,
    Synthesiser,
    Translator,
)
from stages.registry import create
from stages.vad import SileroDetector

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class SourceEngines:
    """Engines that all lanes of a session share.

    Attributes:
        detector: rolling voice activity, the session's own.
        recogniser: speech to text.
        encoder: speaker embeddings, where speakers are told apart.
    """

    detector: SpeechDetector
    recogniser: Recogniser
    encoder: SpeakerEncoder | None = None


@dataclass(frozen=True, slots=True)
class LaneEngines:
    """Engines of one target language.

    Attributes:
        translator: text to text.
        synthesiser: text to speech.
        proofreader: recognises the dub before it is played, where one is configured.
        pace: seconds that the synthesiser takes for a second of speech, here and now.
    """

    translator: Translator
    synthesiser: Synthesiser
    proofreader: Recogniser | None = None
    pace: float = 0.3


class EnginePool:
    """Loads each engine once, when it is first asked for.

    Args:
        on_restart: called with the kind of an engine that was reloaded.
    """

    def __init__(self, on_restart: Callable[[str], None] = lambda kind: None) -> None:
        self._on_restart = on_restart
        self._engines: dict[tuple[object, ...], SharedEngine] = {}
        self._loading: dict[tuple[object, ...], asyncio.Lock] = {}

    async def source(self, config: Config, owner: str) -> SourceEngines:
        """What one source needs; its detector is the session's to close.

        Raises:
            EngineError: if an engine is missing something or does not know the language.
        """
        detector = asyncio.to_thread(SileroDetector)
        recogniser, encoder, own = await _all(
            self._get("asr", config), self._encoder(config), detector
        )
        return SourceEngines(
            own,
            PooledRecogniser(recogniser, owner),
            PooledEncoder(encoder, owner) if encoder is not None else None,
        )

    async def lane(self, config: Config, owner: str) -> LaneEngines:
        """What a lane into ``config.target`` needs; raises as above."""
        translator, synthesiser, proofreader = await _all(
            self._get("mt", config), self._get("tts", config), self._proofreader(config)
        )
        return LaneEngines(
            PooledTranslator(translator, owner),
            PooledSynthesiser(synthesiser, owner),
            PooledRecogniser(proofreader, owner) if proofreader is not None else None,
            synthesiser.pace,
        )

    @property
    def waiting(self) -> dict[str, int]:
        """Calls that wait for an engine, by kind."""
        counts = {"asr": 0, "mt": 0, "tts": 0, "speakers": 0}
        for shared in self._engines.values():
            counts[shared.kind] += shared.turns.waiting
        return counts

    async def aclose(self) -> None:
        """Free every engine."""
        for shared in self._engines.values():
            await shared.aclose()
        self._engines.clear()

    async def _encoder(self, config: Config) -> SharedEngine | None:
        return await self._get("speakers", config) if config.speakers.enabled else None

    async def _proofreader(self, config: Config) -> SharedEngine | None:
        if config.tts.listener is None:
            return None
        try:
            return await self._get("asr", for_proofreader(config))
        except EngineError as error:
            raise EngineError(f"tts.listener cannot be used: {error}") from error

    async def _get(self, kind: str, config: Config) -> SharedEngine:
        name, options = options_of(kind, config)
        key = (kind, name, *sorted(options.items()))
        # Two sessions that start together load an engine once; different ones load side by side.
        async with self._loading.setdefault(key, asyncio.Lock()):
            if key not in self._engines:
                engine = await asyncio.to_thread(create, kind, name, **options)
                shared = SharedEngine(kind, name, options, engine, self._on_restart)
                try:
                    shared.pace = await warm_up(kind, engine)
                except BaseException:
                    await shared.aclose()
                    raise
                self._engines[key] = shared
            return self._engines[key]


async def _all(
    first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], third: Coroutine[Any, Any, C]
) -> tuple[A, B, C]:
    """The results of all three, or the first fault once none is under way any more."""
    a, b, c = await asyncio.gather(first, second, third, return_exceptions=True)
    return _given(a), _given(b), _given(c)


def _given(result: A | BaseException) -> A:
    if isinstance(result, BaseException):
        raise result
    return result
