"""What the models said while a file is dubbed, kept so that the job can be gone on with.

A resumed job reads the source again from its beginning and asks the same questions. What was
answered before is found by the question itself and by the engine that was asked, so nothing has to
match but what does: after a change of the voice, recognition and translation are still known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from server.config import Config, for_proofreader
from server.engines.options import options_of
from server.engines.pool import LaneEngines, SourceEngines
from server.engines.second import second_hearing
from server.engines.translators import Translators
from server.sessions.answers import Answers, question
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
    TargetWord,
    Translator,
)
from stages.registry import is_external
from stream.frames import PLAIN, Embedding, Manner, Samples, Transcript, Word


def journal_of(output: Path) -> Path:
    """Where the answers are kept while an output is made: beside it."""
    return output.with_name(f".{output.stem}.part.journal")


class Journal(Answers):
    """Engines with a memory; see `journal_of` and ``Answers``."""

    def source(self, engines: SourceEngines, config: Config) -> SourceEngines:
        """The engines of the source, with a memory."""
        encoder = engines.encoder
        if encoder is not None:
            encoder = _Encoder(encoder, self, _fingerprint("speakers", config))
        recogniser = _Recogniser(engines.recogniser, self, _fingerprint("asr", config))
        if (second := engines.second) and (own := second_hearing(config)):
            second = _Recogniser(second, self, _fingerprint("asr", own))
        return replace(engines, recogniser=recogniser, encoder=encoder, second=second)

    def lane(self, engines: LaneEngines, config: Config) -> LaneEngines:
        """The engines of a target language, with a memory."""
        proofreader = engines.proofreader
        if proofreader is not None:
            other = _fingerprint("asr", for_proofreader(config))
            proofreader = _Recogniser(proofreader, self, other)
        return replace(
            engines,
            translator=self._translators(engines.translator, config),
            synthesiser=_Synthesiser(
                engines.synthesiser,
                self,
                _fingerprint("tts", config),
                # Ours go by the voice alone, and labels are given anew in every part of a film.
                labels=is_external(config.tts.engine),
            ),
            proofreader=proofreader,
        )

    def _translators(
        self, engine: Translator | SpeechTranslator | Translators, config: Config
    ) -> Translator | SpeechTranslator | Translators:
        if isinstance(engine, Translators):
            return engine.wrapped(self._translator)
        return self._translator(engine, config)

    def _translator(
        self, engine: Translator | SpeechTranslator, config: Config
    ) -> Translator | SpeechTranslator:
        fingerprint = _fingerprint("mt", config)
        if isinstance(engine, SpeechTranslator):
            return _SpeechTranslator(engine, self, fingerprint)
        return _Translator(engine, self, fingerprint)


class _Recogniser:
    def __init__(self, engine: Recogniser, journal: Journal, fingerprint: bytes) -> None:
        self._engine, self._journal, self._fingerprint = engine, journal, fingerprint

    @property
    def known(self) -> Collection[str]:
        return self._engine.known if isinstance(self._engine, MultilingualRecogniser) else ()

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        asked = question(self._fingerprint, words, audio.tobytes())
        return await self._answer(asked, lambda: self._engine.recognise(audio, words=words))

    async def recognise_in(
        self, audio: Samples, language: str, *, words: bool = False
    ) -> Transcript:
        engine = self._engine
        assert isinstance(engine, MultilingualRecogniser)
        asked = question(self._fingerprint, words, language, audio.tobytes())
        return await self._answer(asked, lambda: engine.recognise_in(audio, language, words=words))

    async def languages(self, audio: Samples) -> dict[str, float]:
        asked = question(self._fingerprint, audio.tobytes())
        if (known := await self._journal.get(asked)) is not None:
            return dict(json.loads(known))
        assert isinstance(self._engine, MultilingualRecogniser)
        likely = await self._engine.languages(audio)
        await self._journal.put(asked, json.dumps(likely).encode())
        return likely

    async def _answer(self, asked: bytes, ask: Callable[[], Awaitable[Transcript]]) -> Transcript:
        if (known := await self._journal.get(asked)) is not None:
            values = json.loads(known)
            spoken = tuple(Word(**word) for word in values.pop("words"))
            return Transcript(words=spoken, **values)
        transcript = await ask()
        await self._journal.put(asked, json.dumps(asdict(transcript), default=float).encode())
        return transcript

    async def aclose(self) -> None:
        await self._engine.aclose()


class _Encoder:
    def __init__(self, engine: SpeakerEncoder, journal: Journal, fingerprint: bytes) -> None:
        self._engine, self._journal, self._fingerprint = engine, journal, fingerprint

    async def embed(self, audio: Samples) -> Embedding:
        asked = question(self._fingerprint, audio.tobytes())
        if (known := await self._journal.get(asked)) is not None:
            return np.frombuffer(known, np.float32)
        voice = await self._engine.embed(audio)
        await self._journal.put(asked, voice.astype(np.float32).tobytes())
        return voice

    async def aclose(self) -> None:
        await self._engine.aclose()


class _Translator:
    def __init__(self, engine: Translator, journal: Journal, fingerprint: bytes) -> None:
        self._engine, self._journal, self._fingerprint = engine, journal, fingerprint

    async def translate(self, text: str) -> str:
        asked = question(self._fingerprint, text)
        if (known := await self._journal.get(asked)) is not None:
            return known.decode()
        translation = await self._engine.translate(text)
        await self._journal.put(asked, translation.encode())
        return translation

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        if not isinstance(self._engine, AlternativeTranslator):
            return []
        asked = question(self._fingerprint, text, count)
        engine = self._engine
        return await self._renderings(asked, lambda: engine.alternatives(text, count))

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        if not isinstance(self._engine, ContinuingTranslator):
            return []
        asked = question(self._fingerprint, text, spoken, count)
        engine = self._engine
        return await self._renderings(asked, lambda: engine.continuations(text, spoken, count))

    async def _renderings(
        self, asked: bytes, ask: Callable[[], Awaitable[list[Rendering]]]
    ) -> list[Rendering]:
        if (known := await self._journal.get(asked)) is not None:
            return [_rendering(**values) for values in json.loads(known)]
        renderings = await ask()
        values = [asdict(rendering) for rendering in renderings]
        await self._journal.put(asked, json.dumps(values, default=float).encode())
        return renderings

    async def aclose(self) -> None:
        await self._engine.aclose()


class _SpeechTranslator:
    def __init__(self, engine: SpeechTranslator, journal: Journal, fingerprint: bytes) -> None:
        self._engine, self._journal, self._fingerprint = engine, journal, fingerprint
        self.cost = engine.cost

    async def translate_speech(self, speech: Samples, spoken: str = "") -> str:
        asked = question(self._fingerprint, speech.tobytes(), spoken)
        if (known := await self._journal.get(asked)) is not None:
            return known.decode()
        translation = await self._engine.translate_speech(speech, spoken)
        await self._journal.put(asked, translation.encode())
        return translation

    async def aclose(self) -> None:
        await self._engine.aclose()


class _Synthesiser:
    def __init__(
        self, engine: Synthesiser, journal: Journal, fingerprint: bytes, *, labels: bool
    ) -> None:
        self._engine, self._journal, self._fingerprint = engine, journal, fingerprint
        self._labels = labels
        self.sample_rate = engine.sample_rate
        self.rate_range = engine.rate_range
        self.characters_per_second = engine.characters_per_second

    @property
    def clones(self) -> bool:
        return self._engine.clones

    @property
    def registers(self) -> Mapping[str, float]:
        return self._engine.registers if isinstance(self._engine, SeveralVoices) else {}

    def check_voice(self, name: str) -> None:
        self._engine.check_voice(name)

    async def synthesise(self, text: str, manner: Manner = PLAIN) -> AsyncGenerator[Samples, None]:
        speaker = manner.speaker if self._labels else ""
        how = (manner.rate, speaker, manner.room, manner.take)
        asked = question(self._fingerprint, text, *how, _voice(manner.voice))
        if (known := await self._journal.get(asked)) is not None:
            for piece in _pieces(known):
                yield piece
            return
        pieces = []
        async with aclosing(self._engine.synthesise(text, manner)) as speech:
            async for piece in speech:
                pieces.append(piece)
                yield piece
        await self._journal.put(asked, _joined(pieces))

    async def aclose(self) -> None:
        await self._engine.aclose()


def _rendering(text: str, score: float, words: list[dict[str, Any]]) -> Rendering:
    return Rendering(text, score, tuple(TargetWord(**word) for word in words))


def _joined(pieces: list[Samples]) -> bytes:
    lengths = json.dumps([len(piece) for piece in pieces]).encode()
    return b"\n".join([lengths, b"".join(p.astype(np.float32).tobytes() for p in pieces)])


def _pieces(answer: bytes) -> list[Samples]:
    lengths, _, sound = answer.partition(b"\n")
    ends = np.cumsum(json.loads(lengths))[:-1].astype(int)
    if not len(sound):
        return []
    return [piece.copy() for piece in np.split(np.frombuffer(sound, np.float32), ends)]


def _voice(name: str) -> str:
    """A voice by its sound where it is a clip, as clips of speakers get names that change."""
    path = Path(name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if name and path.is_file() else name


def _fingerprint(kind: str, config: Config) -> bytes:
    name, options = options_of(kind, config)
    languages = (config.languages.source, config.target)
    section = config.model_dump(include={kind})[kind]
    # How many threads answer a question is no part of it.
    for settings in (options, section):
        settings.pop("threads", None)
    parts = (kind, name, sorted(options.items()), languages, section)
    return repr(parts).encode()
