"""The contracts every engine keeps.

An engine is a model loaded once and shared. Its methods are coroutines that never block
the event loop: blocking inference runs in the engine's own ``Worker`` thread. Deadlines
belong to the caller, who cancels; a cancelled call leaves the engine usable.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from stream.errors import UserError
from stream.frames import PLAIN, Embedding, Manner, Samples, Transcript


class EngineError(UserError):
    """An engine cannot be used as configured; the message says what is wrong and what to do."""


class SpeechDetector(Protocol):
    """Rolling voice activity detection; stateful, one instance per stream."""

    window: int
    """Samples at ``SPEECH_RATE`` that one probability covers."""

    async def probabilities(self, audio: Samples) -> Samples:
        """Speech probability of each whole window in ``audio``.

        Args:
            audio: mono at ``SPEECH_RATE``, a whole number of windows, following the last call's.
        """
        ...

    async def aclose(self) -> None:
        """Free the detector."""
        ...


class Enhancer(Protocol):
    """Speech out of the sound around it; stateful, one instance per stream."""

    frame: int
    """Ticks of a frame."""
    latency: int
    """Ticks, whole frames, by which the speech comes late."""

    async def enhance(self, audio: Samples) -> Samples:
        """The speech alone, as many samples as come in, ``latency`` behind.

        A call that fails or is cancelled costs what the enhancer remembers: it begins anew.

        Args:
            audio: mono at 48 kHz, whole frames, following the last call's.
        """
        ...

    async def aclose(self) -> None:
        """Free the enhancer and its thread."""
        ...


class SpeakerEncoder(Protocol):
    """Speaker embeddings: the closer two are, the likelier they are of one speaker."""

    async def embed(self, audio: Samples) -> Embedding:
        """The voice in ``audio``: a unit vector, or zeros for silence.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(n,)``; reliable from 1.5 s of speech on.
        """
        ...

    async def aclose(self) -> None:
        """Free the model and its thread."""
        ...


class Recogniser(Protocol):
    """Speech to text."""

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe one utterance.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(n,)``, up to 30 s.
            words: also time the words, for cutting long speech.
        """
        ...

    async def aclose(self) -> None:
        """Free the model and its thread."""
        ...


@runtime_checkable
class MultilingualRecogniser(Protocol):
    """A recogniser that can tell languages apart, and be told which one is spoken."""

    known: Collection[str]
    """Codes of the languages that it knows."""

    async def languages(self, audio: Samples) -> dict[str, float]:
        """The probability of each language that it knows.

        Args:
            audio: mono at ``SPEECH_RATE``, shape ``(n,)``; reliable from 2 s of speech on.
        """
        ...

    async def recognise_in(
        self, audio: Samples, language: str, *, words: bool = False
    ) -> Transcript:
        """As ``Recogniser.recognise``, of speech in a language."""
        ...


class Translator(Protocol):
    """Text to text."""

    async def translate(self, text: str) -> str:
        """Translate one utterance's text; the empty string stays empty."""
        ...

    async def aclose(self) -> None:
        """Free the model and its thread."""
        ...


@dataclass(frozen=True, slots=True)
class TargetWord:
    """A word of a translation.

    Attributes:
        text: as written, with the space before it and the marks after it.
        source: where the word that it stands for begins in the source's text, in characters.
    """

    text: str
    source: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """One of several translations of a text.

    Attributes:
        text: the translation.
        score: mean log-probability of its tokens; an estimate where the model gives none.
        words: of ``text``, in order; none where the model does not align them.
    """

    text: str
    score: float
    words: tuple[TargetWord, ...] = ()


@runtime_checkable
class AlternativeTranslator(Protocol):
    """A translator that can offer several translations of one text."""

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Up to ``count`` different translations, the best one first; none of an empty text."""
        ...


@runtime_checkable
class ContinuingTranslator(Translator, Protocol):
    """A translator that can go on from a beginning that was spoken already."""

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        """Translations of ``text`` that begin with ``spoken``, less that, the best one first.

        Args:
            text: one sentence as far as it is known, or that and what follows it.
            spoken: how the translation begins; may be empty.
            count: most translations returned.

        Returns:
            What follows ``spoken``, aligned by words. None if the model cannot go on from there.
        """
        ...


@runtime_checkable
class SpeechTranslator(Protocol):
    """Speech to text of another language: takes an utterance's sound where others take its words.

    What works on words does not apply to it: glossary, alternatives.
    """

    cost: float
    """Seconds that an utterance takes here, as measured when it was loaded."""

    async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
        """Translate what is said; empty where nothing is understood.

        Args:
            speech: mono at ``SPEECH_RATE``, shape ``(n,)``, up to 30 s.
            spoken: how its translation begins, as far as it was spoken already; what follows is
                returned.
        """
        ...

    async def aclose(self) -> None:
        """Free the model and its thread."""
        ...


class Synthesiser(Protocol):
    """Text to speech, delivered in pieces as they are made."""

    sample_rate: int
    """Hz of every piece."""
    rate_range: tuple[float, float]
    """Slowest and fastest speaking rate at which the voice stays natural; 1 is its own."""
    characters_per_second: float
    """Typical speed of the voice at rate 1, for planning before anything was measured."""

    @property
    def clones(self) -> bool:
        """Whether ``Manner.voice`` may be the path of a reference clip, or of a folder of them."""
        ...

    def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        """Speak ``text``; each piece is mono at ``sample_rate``, shape ``(n,)``.

        Pieces end at clause boundaries and join without a gap. Text without anything to
        pronounce yields nothing.

        Args:
            text: of any length and script.
            manner: how; its rate is clamped to ``rate_range``, and its voice is empty or has
                passed ``check_voice``.
        """
        ...

    def check_voice(self, name: str) -> None:
        """Check that ``name`` can be used as ``Manner.voice``.

        Raises:
            EngineError: if there is no such voice; the message names the choices.
        """
        ...

    async def aclose(self) -> None:
        """Free the model and its thread."""
        ...


@runtime_checkable
class SeveralVoices(Protocol):
    """A synthesiser with voices of several registers to choose from."""

    registers: Mapping[str, float]
    """Median pitch of each voice that suits its language, Hz, by what ``Manner.voice`` takes."""
