"""One copy of each model for all sessions: shared fairly, and reloaded after repeated failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from server.config import Config, for_proofreader
from server.engines.elsewhere import Elsewhere
from server.engines.enhancer import enhancer_for
from server.engines.options import options_of
from server.engines.pooled import (
    PooledEncoder,
    PooledRecogniser,
    PooledSynthesiser,
    pooled_translator,
)
from server.engines.settled import settled
from server.engines.shared import Served, SharedEngine
from server.engines.speaker_encoder import ENCODER, wants_encoder
from server.engines.translators import Translators
from server.engines.warm_up import warm_up
from stages.base import (
    EngineError,
    Enhancer,
    Recogniser,
    SpeakerEncoder,
    SpeechDetector,
    SpeechTranslator,
    Synthesiser,
    Translator,
)
from stages.registry import create
from stages.vad import SileroDetector
from stream.flow.worker import Worker
from stream.languages import same_language

log = logging.getLogger(__name__)

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
        enhancer: parts speech from its surroundings, where one is used; the session's own.
        second: hears utterances once more, where there is time for it.
    """

    detector: SpeechDetector
    recogniser: Recogniser
    encoder: SpeakerEncoder | None = None
    enhancer: Enhancer | None = None
    second: Recogniser | None = None


@dataclass(frozen=True, slots=True)
class LaneEngines:
    """Engines of one target language.

    Attributes:
        translator: text to text, or speech to text; several where several languages are spoken.
        synthesiser: text to speech.
        proofreader: recognises the dub before it is played, where one is configured.
        pace: seconds that the synthesiser takes for a second of speech, here and now.
    """

    translator: Translator | SpeechTranslator | Translators
    synthesiser: Synthesiser
    proofreader: Recogniser | None = None
    pace: float = 0.3

    @property
    def cost(self) -> float:
        """Seconds that translation takes for an utterance, where that is no trifle."""
        translator = self.translator
        if isinstance(translator, SpeechTranslator | Translators):
            return translator.cost
        return 0.0


IDLE_S = 300.0
"""Seconds after its last session at which an engine is closed; many sessions are created again."""

LOAD_S = 1800.0
"""Longest wait for an engine, whose weights may have to be fetched first."""


INSTEAD = "instead of one that is elsewhere"
"""Owner of engines that are kept loaded for when they are needed."""


class EnginePool:
    """Loads each engine once, when it is first asked for, and closes it when nobody uses it.

    Args:
        on_restart: called with the kind of an engine that was reloaded.
        most: engines that there may be at once.
        elsewhere: has the models of some kinds, which are not loaded here then.
    """

    def __init__(
        self,
        on_restart: Callable[[str], None] = lambda kind: None,
        most: int = 32,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._on_restart = on_restart
        self._most = most
        self._elsewhere = elsewhere
        self._engines: dict[tuple[object, ...], Served] = {}
        self._loading: dict[tuple[object, ...], asyncio.Lock] = {}
        self._loads = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._translators: dict[str, list[Translators]] = {}

    async def source(
        self, config: Config, owner: str, recogniser: Recogniser | None = None
    ) -> SourceEngines:
        """What one source needs; its detector and enhancer are the session's to close.

        Args:
            config: checked.
            owner: the session.
            recogniser: in place of the configured one, which is not loaded then.

        Raises:
            EngineError: if an engine is missing something or does not know the language.
        """
        own = _in_thread("detector", partial(self._own, config))
        loaded, encoder, (detector, enhancer) = await _all(
            self._recogniser(config, owner, recogniser), self._encoder(config, owner), own
        )
        return SourceEngines(
            detector,
            loaded,
            PooledEncoder(encoder, owner) if encoder is not None else None,
            enhancer,
        )

    async def lane(self, config: Config, owner: str) -> LaneEngines:
        """What a lane into ``config.target`` needs; raises as above."""
        config = await self._settled(config)  # once for all kinds
        translator, synthesiser, proofreader = await _all(
            self._translator(config, owner),
            self.engine("tts", config, owner),
            self._proofreader(config, owner),
        )
        return LaneEngines(
            translator,
            PooledSynthesiser(synthesiser, owner),
            PooledRecogniser(proofreader, owner) if proofreader is not None else None,
            synthesiser.pace,
        )

    async def _settled(self, config: Config) -> Config:
        return await asyncio.to_thread(settled, config, "mt", "tts")

    @property
    def waiting(self) -> dict[str, int]:
        """Calls that wait for an engine, by kind."""
        counts = {"asr": 0, "mt": 0, "tts": 0, "speakers": 0}
        for shared in self._engines.values():
            counts[shared.kind] += shared.waiting
        return counts

    def release(self, owner: str) -> None:
        """A session needs its engines no more; those of nobody are closed after ``IDLE_S``."""
        for translators in self._translators.pop(owner, []):
            translators.close()
        loop = asyncio.get_running_loop()
        for shared in self._engines.values():
            if owner in shared.owners:
                shared.owners.discard(owner)
                shared.idle_since = loop.time()
        loop.call_later(IDLE_S, self._close_idle)

    def _close_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        for key, shared in list(self._engines.items()):
            if not shared.owners and now - shared.idle_since >= IDLE_S - 0.001:
                self._close(key)

    def _close(self, key: tuple[object, ...]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._engines.pop(key).aclose(), name="close an engine")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    async def _make_room(self) -> None:
        if len(self._engines) + self._loads < self._most:
            return
        idle = [key for key, shared in self._engines.items() if not shared.owners]
        if not idle:
            raise EngineError(
                f"There are {self._most} engines in use already (serve.max_engines): "
                "end a session, or have this one share the models of others."
            )
        await self._close(min(idle, key=lambda key: self._engines[key].idle_since))

    async def aclose(self) -> None:
        """Free every engine."""
        for owner in list(self._translators):
            self.release(owner)
        await asyncio.gather(*self._closing, return_exceptions=True)
        for shared in self._engines.values():
            await shared.aclose()
        self._engines.clear()

    async def _recogniser(
        self, config: Config, owner: str, instead: Recogniser | None
    ) -> Recogniser:
        return instead or PooledRecogniser(await self.engine("asr", config, owner), owner)

    async def _translator(
        self, config: Config, owner: str
    ) -> Translator | SpeechTranslator | Translators:
        async def load(config: Config) -> Translator | SpeechTranslator:
            return pooled_translator(await self.engine("mt", config, owner), owner)

        if config.languages.several is None:
            return await load(config)
        translators = Translators(config, load)
        self._translators.setdefault(owner, []).append(translators)
        for language in config.languages.several:
            if not same_language(language, config.target):
                with contextlib.suppress(EngineError):  # told where it is spoken
                    await translators.of(language)
        return translators

    def _own(self, config: Config) -> tuple[SpeechDetector, Enhancer | None]:
        return SileroDetector(), enhancer_for(config)

    async def _encoder(self, config: Config, owner: str) -> Served | None:
        if not await _in_thread("speakers", partial(wants_encoder, config)):
            return None
        try:
            return await self.engine("speakers", config, owner)
        except EngineError as error:
            if config.speakers.enabled:
                raise
            log.warning("speakers.engine auto does without %s: %s", ENCODER, error)
            return None

    async def _proofreader(self, config: Config, owner: str) -> Served | None:
        if config.tts.listener is None:
            return None
        try:
            return await self.engine("asr", for_proofreader(config), owner)
        except EngineError as error:
            raise EngineError(f"tts.listener cannot be used: {error}") from error

    async def engine(self, kind: str, config: Config, owner: str) -> Served:
        """The engine of a kind, which is loaded if it is not.

        Raises:
            EngineError: if it cannot be.
        """
        if self._elsewhere is None or kind not in self._elsewhere.kinds:
            return await self._here(kind, config, owner)
        key = ("elsewhere", kind, await self._elsewhere.key(kind, config))
        return await self._once(key, owner, partial(self._there, kind, config))

    async def _here(self, kind: str, config: Config, owner: str) -> Served:
        name, options = await asyncio.to_thread(options_of, kind, config)
        key = (kind, name, *sorted(options.items()))
        return await self._once(key, owner, partial(self._load, kind, name, options))

    async def _there(self, kind: str, config: Config) -> Served:
        assert self._elsewhere is not None
        instead = None
        if (local := self._elsewhere.instead(kind, config)) is not None:
            try:
                instead = await self._here(kind, local, INSTEAD)
            except EngineError as error:
                raise EngineError(f"cluster.fallback cannot be used: {error}") from error
        return await self._elsewhere.find(kind, config, instead)

    async def _once(
        self, key: tuple[object, ...], owner: str, load: Callable[[], Awaitable[Served]]
    ) -> Served:
        # Two sessions that start together load an engine once; different ones load side by side.
        async with self._loading.setdefault(key, asyncio.Lock()):
            if key not in self._engines:
                await self._make_room()
                self._loads += 1
                try:
                    self._engines[key] = await load()
                finally:
                    self._loads -= 1
            served = self._engines[key]
            served.owners.add(owner)
            return served

    async def _load(self, kind: str, name: str, options: dict[str, Any]) -> SharedEngine:
        try:
            async with asyncio.timeout(LOAD_S):
                engine = await _in_thread(f"load {kind}", partial(create, kind, name, **options))
        except TimeoutError:
            raise EngineError(
                f"The {kind} engine '{name}' was not loaded within {LOAD_S / 60:.0f} minutes."
            ) from None
        shared = SharedEngine(kind, name, options, engine, self._on_restart)
        try:
            shared.pace = await warm_up(kind, engine)
        except BaseException:
            await shared.aclose()
            raise
        return shared


async def _in_thread(name: str, function: Callable[[], A]) -> A:
    """Call what may take long in a thread of its own: those of the event loop serve everybody."""
    worker = Worker(name)
    try:
        made = await worker.run(function)
    except asyncio.CancelledError:
        raise  # the thread ends when its call does
    except BaseException:
        await worker.aclose()
        raise
    await worker.aclose()
    return made


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
