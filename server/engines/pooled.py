"""A session's access to engines that it shares with others."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Collection, Mapping

from server.engines.shared import Served
from stages.base import (
    AlternativeTranslator,
    ContinuingTranslator,
    MultilingualRecogniser,
    Recogniser,
    Rendering,
    SeveralVoices,
    SpeakerEncoder,
    SpeechTranslator,
    Synthesiser,
    Translator,
)
from stream.frames import PLAIN, Embedding, Manner, Samples, Transcript


class PooledRecogniser:
    """A session's access to a shared recogniser; see ``Recogniser``."""

    def __init__(self, shared: Served, owner: str) -> None:
        self._shared, self._owner = shared, owner

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            recogniser: Recogniser = engine
            return await recogniser.recognise(audio, words=words)

    @property
    def known(self) -> Collection[str]:
        """Languages that it can tell apart; none if it cannot."""
        engine = self._shared.engine
        return engine.known if isinstance(engine, MultilingualRecogniser) else ()

    async def languages(self, audio: Samples) -> dict[str, float]:
        """Tell the language when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            recogniser: MultilingualRecogniser = engine
            return await recogniser.languages(audio)

    async def recognise_in(
        self, audio: Samples, language: str, *, words: bool = False
    ) -> Transcript:
        """Transcribe in a language when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            recogniser: MultilingualRecogniser = engine
            return await recogniser.recognise_in(audio, language, words=words)

    async def aclose(self) -> None:
        """The engine stays."""


class PooledEncoder:
    """A session's access to a shared speaker encoder; see ``SpeakerEncoder``."""

    def __init__(self, shared: Served, owner: str) -> None:
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

    def __init__(self, shared: Served, owner: str) -> None:
        self._shared, self._owner = shared, owner

    async def translate(self, text: str) -> str:
        """Translate when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            translator: Translator = engine
            return await translator.translate(text)

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Several translations when it is this session's turn; none if the engine has one only."""
        if not isinstance(self._shared.engine, AlternativeTranslator):
            return []
        async with self._shared.use(self._owner) as engine:
            translator: AlternativeTranslator = engine
            return await translator.alternatives(text, count)

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        """What follows ``spoken``, in turn; none if the engine cannot go on from there."""
        if not isinstance(self._shared.engine, ContinuingTranslator):
            return []
        async with self._shared.use(self._owner) as engine:
            translator: ContinuingTranslator = engine
            return await translator.continuations(text, spoken, count)

    async def aclose(self) -> None:
        """The engine stays."""


class PooledSpeechTranslator:
    """A session's access to a shared translator of speech; see ``SpeechTranslator``."""

    def __init__(self, shared: Served, owner: str) -> None:
        self._shared, self._owner = shared, owner
        engine: SpeechTranslator = shared.engine
        self.cost = engine.cost

    async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
        """Translate when it is this session's turn."""
        async with self._shared.use(self._owner) as engine:
            translator: SpeechTranslator = engine
            return await translator.translate_speech(speech, spoken)

    async def aclose(self) -> None:
        """The engine stays."""


def pooled_translator(shared: Served, owner: str) -> Translator | SpeechTranslator:
    """A session's access to a translator, of text or of speech."""
    if isinstance(shared.engine, SpeechTranslator):
        return PooledSpeechTranslator(shared, owner)
    return PooledTranslator(shared, owner)


class PooledSynthesiser:
    """A session's access to a shared synthesiser; see ``Synthesiser``."""

    def __init__(self, shared: Served, owner: str) -> None:
        self._shared, self._owner = shared, owner
        engine: Synthesiser = shared.engine
        self.sample_rate = engine.sample_rate
        self.rate_range = engine.rate_range
        self.characters_per_second = engine.characters_per_second

    @property
    def clones(self) -> bool:
        """Whether it takes reference clips."""
        engine: Synthesiser = self._shared.engine
        return engine.clones

    @property
    def registers(self) -> Mapping[str, float]:
        """Its voices to choose from; none if it has one only."""
        engine = self._shared.engine
        return engine.registers if isinstance(engine, SeveralVoices) else {}

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
