"""The models of one configuration: loaded side by side, warmed up, closed together."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.config import Config, for_listener
from stages.base import (
    EngineError,
    Recogniser,
    SpeakerEncoder,
    SpeechDetector,
    Synthesiser,
    Translator,
)
from stages.registry import create, find, section_of
from stages.vad import SileroDetector
from stream.frames import SPEECH_RATE

PHRASE = "1, 2, 3, 4, 5, 6, 7, 8."
"""What a voice speaks to show its pace, in any language."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Loaded models.

    Attributes:
        detector: rolling voice activity of the source.
        recogniser: speech to text.
        translator: text to text.
        synthesiser: text to speech.
        encoder: voices as points, where speakers are told apart.
        listener: hears the dub before others do, where one is configured.
    """

    detector: SpeechDetector
    recogniser: Recogniser
    translator: Translator
    synthesiser: Synthesiser
    encoder: SpeakerEncoder | None = None
    listener: Recogniser | None = None

    async def warm_up(self) -> float:
        """Run every model once: first calls allocate, and should not cost the first viewer.

        Returns:
            Wall seconds that the synthesiser takes for a second of speech, here and now.
        """
        noise = np.random.default_rng(0).normal(0, 0.01, SPEECH_RATE).astype(np.float32)
        await self.recogniser.recognise(noise)
        await self.translator.translate("Hello.")
        if self.listener is not None:
            await self.listener.recognise(noise)
        if self.encoder is not None:
            await self.encoder.embed(noise)
        return await pace(self.synthesiser)

    async def aclose(self) -> None:
        """Free all of them."""
        for engine in (self.detector, self.recogniser, self.translator, self.synthesiser):
            await engine.aclose()
        for other in (self.encoder, self.listener):
            if other is not None:
                await other.aclose()


async def pace(synthesiser: Synthesiser) -> float:
    """Wall seconds that a synthesiser takes for a second of speech, once it is warm."""
    for text in ("1.", PHRASE):
        began, length = time.perf_counter(), 0
        async for piece in synthesiser.synthesise(text):
            length += len(piece)
    return (time.perf_counter() - began) / max(length / synthesiser.sample_rate, 0.1)


async def load_engines(config: Config) -> Engines:
    """Load what the configuration names, each in a thread of its own.

    Raises:
        EngineError: if one is missing something or does not know the languages.
    """
    loading = (
        asyncio.to_thread(SileroDetector),
        _loaded("asr", config),
        _loaded("mt", config),
        _loaded("tts", config),
        _encoder(config),
        _listener(config),
    )
    results: list[Any] = await asyncio.gather(*loading, return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        for result in results:
            if result is not None and not isinstance(result, BaseException):
                await result.aclose()
        raise failed[0]
    return Engines(*results)


async def _loaded(kind: str, config: Config) -> Any:
    name, options = options_of(kind, config)
    return await asyncio.to_thread(create, kind, name, **options)


async def _encoder(config: Config) -> SpeakerEncoder | None:
    if not config.speakers.enabled:
        return None
    encoder: SpeakerEncoder = await _loaded("speakers", config)
    return encoder


async def _listener(config: Config) -> Recogniser | None:
    if config.tts.listener is None:
        return None
    try:
        listener: Recogniser = await _loaded("asr", for_listener(config))
    except EngineError as error:
        raise EngineError(f"tts.listener cannot be used: {error}") from error
    return listener


def usable_cores() -> int:
    """Cores that this process may run on."""
    # Only Linux tells which ones those are.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return allowed or 1


def options_of(kind: str, config: Config) -> tuple[str, dict[str, Any]]:
    """Name and options with which the registry makes the engine of a kind."""
    section = getattr(config, kind)
    if kind == "speakers":
        return section.engine, {"model": section.model}
    # More threads than cores wait for each other.
    threads = min(section.threads, usable_cores())
    options: dict[str, Any] = {"model": section.model, "threads": threads}
    if kind == "asr":
        options |= {
            "language": config.languages.source,
            "beam_size": section.beam_size,
            "compute_type": section.compute_type,
        }
    elif kind == "mt":
        options |= {
            "source": config.languages.source,
            "target": config.target,
            "beam_size": section.beam_size,
        }
    else:
        voice = "default" if section.voice == "auto" else section.voice
        options |= {"voice": voice, "language": config.target}
    return section.engine, options | own_options(kind, section.engine, config)


def own_options(kind: str, engine: str, config: Config) -> dict[str, Any]:
    """What an engine takes beside its kind's options: its own section, if it has one."""
    if not find(kind, engine).options:
        return {}
    return {"options": getattr(config, section_of(engine))}
