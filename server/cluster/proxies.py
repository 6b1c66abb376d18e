"""Engines by the contracts of `stages.base` whose methods are called elsewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any, Protocol

from server.cluster.records import Described
from stages.base import EngineError, Rendering
from stream.frames import PLAIN, SPEECH_RATE, Embedding, Manner, Samples, Transcript


class Caller(Protocol):
    """What has an engine's methods called."""

    async def __call__(self, method: str, units: float, *arguments: Any, **named: Any) -> Any:
        """The result of a method; ``units`` are the seconds or characters that it is about."""
        ...

    def speech(self, text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        """The pieces of a text's speech."""
        ...


class _Remote:
    def __init__(self, call: Caller, described: Described) -> None:
        self._call = call
        self._described = described

    async def aclose(self) -> None:
        """Whoever has it keeps it."""


class RemoteRecogniser(_Remote):
    """See ``MultilingualRecogniser``."""

    @property
    def known(self) -> Collection[str]:
        """Languages that it can tell apart."""
        return self._described.known

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe one utterance."""
        made: Transcript = await self._call("recognise", _length(audio), audio, words=words)
        return made

    async def languages(self, audio: Samples) -> dict[str, float]:
        """The probability of each language that it knows."""
        made: dict[str, float] = await self._call("languages", _length(audio), audio)
        return made

    async def recognise_in(
        self, audio: Samples, language: str, *, words: bool = False
    ) -> Transcript:
        """Transcribe speech in a language."""
        made: Transcript = await self._call(
            "recognise_in", _length(audio), audio, language, words=words
        )
        return made


class RemoteEncoder(_Remote):
    """See ``SpeakerEncoder``."""

    async def embed(self, audio: Samples) -> Embedding:
        """The voice in ``audio``."""
        made: Embedding = await self._call("embed", _length(audio), audio)
        return made


class RemoteTranslator(_Remote):
    """See ``ContinuingTranslator``; what the engine cannot do gives nothing."""

    async def translate(self, text: str) -> str:
        """Translate one utterance's text."""
        made: str = await self._call("translate", len(text), text)
        return made

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Several translations."""
        made: list[Rendering] = await self._call("alternatives", len(text), text, count)
        return made

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        """What follows ``spoken``."""
        made: list[Rendering] = await self._call("continuations", len(text), text, spoken, count)
        return made


class RemoteSpeechTranslator(_Remote):
    """See ``SpeechTranslator``."""

    @property
    def cost(self) -> float:
        """Seconds that an utterance takes there."""
        return self._described.cost or 0.0

    async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
        """Translate what is said."""
        made: str = await self._call("translate_speech", _length(speech), speech, spoken)
        return made


class RemoteSynthesiser(_Remote):
    """See ``Synthesiser`` and ``SeveralVoices``."""

    @property
    def sample_rate(self) -> int:
        """Hz of every piece."""
        return self._described.sample_rate

    @property
    def rate_range(self) -> tuple[float, float]:
        """Slowest and fastest speaking rate."""
        return self._described.rate_range

    @property
    def characters_per_second(self) -> float:
        """Typical speed of the voice."""
        return self._described.characters_per_second

    @property
    def clones(self) -> bool:
        """Whether it takes recordings."""
        return self._described.clones

    @property
    def registers(self) -> Mapping[str, float]:
        """Its voices to choose from; none if it has one only."""
        return self._described.registers

    def check_voice(self, name: str) -> None:
        """Raise ``EngineError`` for a voice of the configuration that it does not have."""
        if name in self._described.refused:
            raise EngineError(self._described.refused[name])

    def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak ``text``."""
        return self._call.speech(text, manner)


def proxy(kind: str, described: Described, call: Caller) -> _Remote:
    """The engine of a kind whose methods ``call`` has called."""
    if kind == "mt" and described.cost is not None:
        return RemoteSpeechTranslator(call, described)
    return _PROXIES[kind](call, described)


_PROXIES = {
    "asr": RemoteRecogniser,
    "mt": RemoteTranslator,
    "tts": RemoteSynthesiser,
    "speakers": RemoteEncoder,
}


def _length(audio: Samples) -> float:
    return len(audio) / SPEECH_RATE
