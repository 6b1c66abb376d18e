"""One copy of each model for all sessions: shared fairly, and made anew when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from server.config import Config, for_listener
from server.engines.options import options_of, pace
from server.engines.turns import Turns
from stages.base import (
    AlternativeTranslator,
    EngineError,
    Recogniser,
    Rendering,
    SpeakerEncoder,
    Synthesiser,
    Translator,
)
from stages.registry import create
from stream.clock.due import DUE
from stream.frames import PLAIN, Embedding, Manner, Samples, Transcript

FAULTS = 2
"""Failed calls in a row after which an engine is made anew."""

HUNG = 1.5
"""Seconds that a cancelled call must have taken to count as failed: word times are given up after
one, on a busy machine too, and to load a model anew would make that worse."""

SLOW = 3.0
"""Times what calls usually take, which a cancelled one may take as well: the machine is busy."""

LONGEST = 4.0
"""Seconds after which one has failed in any case."""

MEMORY = 0.25
"""Weight of the newest call in what they usually take."""

log = logging.getLogger(__name__)


class SharedEngine:
    """An engine, the turns at it, and its health.

    Args:
        kind: ``asr``, ``mt``, ``tts`` or ``speakers``.
        name: in the registry.
        options: it was made with.
        engine: loaded.
        on_restart: called with the kind when the engine had to be made anew.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        options: dict[str, Any],
        engine: Any,
        on_restart: Callable[[str], None],
    ) -> None:
        self.kind = kind
        self.name = name
        self.engine = engine
        self.turns = Turns()
        self.pace = 0.0
        """Seconds that a synthesiser takes for a second of speech, when it was loaded."""
        self._options = options
        self._on_restart = on_restart
        self._faults = 0
        self._usual = 0.0  # seconds that a call takes
        self._restarting: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def use(self, owner: str) -> AsyncIterator[Any]:
        """The engine, for one call of ``owner``'s."""
        async with self.turns.turn(owner, DUE.get()):
            began = time.monotonic()
            try:
                yield self.engine
            except GeneratorExit:
                raise
            except asyncio.CancelledError:
                if time.monotonic() - began >= max(HUNG, min(SLOW * self._usual, LONGEST)):
                    self._failed()
                raise
            except Exception:
                self._failed()
                raise
            self._faults = 0
            self._usual += MEMORY * (time.monotonic() - began - self._usual)

    async def aclose(self) -> None:
        """Free the engine."""
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        await self.engine.aclose()

    def _failed(self) -> None:
        self._faults += 1
        busy = self._restarting is not None and not self._restarting.done()
        if self._faults >= FAULTS and not busy:
            self._faults = 0
            self._restarting = asyncio.create_task(self._restart(), name=f"restart {self.kind}")

    async def _restart(self) -> None:
        log.warning(
            "%s engine '%s' failed %d times in a row: restart", self.kind, self.name, FAULTS
        )
        try:
            fresh = await asyncio.to_thread(create, self.kind, self.name, **self._options)
        except Exception as error:
            log.error("%s engine '%s' cannot be restarted: %s", self.kind, self.name, error)
            return
        stale, self.engine = self.engine, fresh
        self._on_restart(self.kind)
        await stale.aclose()


class PooledRecogniser:
    """A session's access to a shared recogniser; see ``Recogniser``."""

    def __init__(self, shared: SharedEngine, owner: str) -> None:
        self._shared, self._owner = shared, owner

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            recogniser: Recogniser = engine
            return await recogniser.recognise(audio, words=words)

    async def aclose(self) -> None:
        """The engine stays."""


class PooledEncoder:
    """A session's access to a shared speaker encoder; see ``SpeakerEncoder``."""

    def __init__(self, shared: SharedEngine, owner: str) -> None:
        self._shared, self._owner = shared, owner

    async def embed(self, audio: Samples) -> Embedding:
        """Embed when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            encoder: SpeakerEncoder = engine
            return await encoder.embed(audio)

    async def aclose(self) -> None:
        """The engine stays."""


class PooledTranslator:
    """A session's access to a shared translator; see ``Translator``."""

    def __init__(self, shared: SharedEngine, owner: str) -> None:
        self._shared, self._owner = shared, owner

    async def translate(self, text: str) -> str:
        """Translate when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            translator: Translator = engine
            return await translator.translate(text)

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Several translations when it is this session's turn; none of an engine that has one."""
        if not isinstance(self._shared.engine, AlternativeTranslator):
            return []
        async with self._shared.use(self._owner) as engine:
            translator: AlternativeTranslator = engine
            return await translator.alternatives(text, count)

    async def aclose(self) -> None:
        """The engine stays."""


class PooledSynthesiser:
    """A session's access to a shared synthesiser; see ``Synthesiser``."""

    def __init__(self, shared: SharedEngine, owner: str) -> None:
        self._shared, self._owner = shared, owner
        engine: Synthesiser = shared.engine
        self.sample_rate = engine.sample_rate
        self.rate_range = engine.rate_range
        self.characters_per_second = engine.characters_per_second
        self.pace = shared.pace

    @property
    def clones(self) -> bool:
        """Whether it takes reference clips."""
        engine: Synthesiser = self._shared.engine
        return engine.clones

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` unless it has the voice."""
        engine: Synthesiser = self._shared.engine
        engine.check_voice(name)

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            synthesiser: Synthesiser = engine
            async with contextlib.aclosing(synthesiser.synthesise(text, manner)) as pieces:
                async for piece in pieces:
                    yield piece

    async def aclose(self) -> None:
        """The engine stays."""


class EnginePool:
    """Loads each engine once, when it is first asked for.

    Args:
        on_restart: called with the kind of an engine that had to be made anew.
    """

    def __init__(self, on_restart: Callable[[str], None] = lambda kind: None) -> None:
        self._on_restart = on_restart
        self._engines: dict[tuple[object, ...], SharedEngine] = {}
        self._loading = asyncio.Lock()

    async def recogniser(self, config: Config, owner: str) -> PooledRecogniser:
        """Recognition as configured.

        Raises:
            EngineError: if the engine cannot be had.
        """
        return PooledRecogniser(await self._get("asr", config), owner)

    async def translator(self, config: Config, owner: str) -> PooledTranslator:
        """Translation from the configured source into ``config.target``; raises as above."""
        return PooledTranslator(await self._get("mt", config), owner)

    async def synthesiser(self, config: Config, owner: str) -> PooledSynthesiser:
        """The configured voice in ``config.target``; raises as above."""
        return PooledSynthesiser(await self._get("tts", config), owner)

    async def encoder(self, config: Config, owner: str) -> PooledEncoder | None:
        """Speaker embeddings, where the configuration wants them; raises as above."""
        if not config.speakers.enabled:
            return None
        return PooledEncoder(await self._get("speakers", config), owner)

    async def listener(self, config: Config, owner: str) -> PooledRecogniser | None:
        """Who hears the dub before others do, where one is configured; raises as above."""
        if config.tts.listener is None:
            return None
        try:
            shared = await self._get("asr", for_listener(config))
        except EngineError as error:
            raise EngineError(f"tts.listener cannot be used: {error}") from error
        return PooledRecogniser(shared, owner)

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

    async def _get(self, kind: str, config: Config) -> SharedEngine:
        name, options = options_of(kind, config)
        key = (kind, name, *sorted(options.items()))
        async with self._loading:  # two sessions that start together load it once
            if key not in self._engines:
                engine = await asyncio.to_thread(create, kind, name, **options)
                shared = SharedEngine(kind, name, options, engine, self._on_restart)
                if kind == "tts":
                    shared.pace = await pace(engine)
                self._engines[key] = shared
            return self._engines[key]
