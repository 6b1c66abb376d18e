"""What each stage does with a job, for files and live sessions alike: engines as stages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

from server.casting import Part
from server.config import AsrConfig, MtConfig
from stages.base import AlternativeTranslator, Recogniser, Rendering, Synthesiser, Translator
from stages.denoised import DenoisedRecogniser
from stream.deliver import Voice
from stream.frames import Fate, Manner, Samples, Word
from stream.job import DubJob, StageFault
from stream.rendering import choose, misfit

log = logging.getLogger(__name__)

Work = Callable[[DubJob], Awaitable[None]]


def hearing(recogniser: Recogniser, config: AsrConfig) -> Recogniser:
    """The recogniser, behind a denoiser if the configuration wants one.

    Raises:
        EngineError: if the denoiser's model cannot be used.
    """
    if config.denoise == "none":
        return recogniser
    return DenoisedRecogniser(recogniser, config.denoise, config.denoise_model)


def recognition(recogniser: Recogniser) -> Work:
    """Hear what is said; an utterance without words is settled."""

    async def work(job: DubJob) -> None:
        job.transcript = await recogniser.recognise(job.utterance.audio)
        if not job.transcript.text.strip():
            job.give_up(Fate.EMPTY)

    return work


def word_times(recogniser: Recogniser) -> Callable[[Samples], Awaitable[tuple[Word, ...]]]:
    """Time the words of speech that has to be cut."""

    async def words(audio: Samples) -> tuple[Word, ...]:
        return (await recogniser.recognise(audio, words=True)).words

    return words


def translation(translator: Translator, options: MtConfig, expected: Callable[[str], int]) -> Work:
    """Translate what was heard, if need be in words that fit the slot better.

    Args:
        translator: the engine.
        options: how many translations to choose from, and how.
        expected: ticks that the voice takes for a text at its own rate.
    """

    async def work(job: DubJob) -> None:
        assert job.transcript is not None
        text, slot = job.transcript.text, job.slot.duration
        job.translation = await translator.translate(text)
        if not job.translation.strip():
            raise StageFault("no translation came back")
        fits = misfit(expected(job.translation), slot) == 0
        if options.alternatives == 1 or fits or not isinstance(translator, AlternativeTranslator):
            return
        until = job.timeout.when() if job.timeout is not None else None
        others = await _alternatives(translator, text, options.alternatives, until)
        if others:
            lengths = [expected(other.text) for other in others]
            scores = [other.score for other in others]
            chosen = choose(scores, lengths, slot, options.length_weight)
            job.translation = others[chosen].text
            job.candidates, job.chosen = len(others), chosen

    return work


async def _alternatives(
    translator: AlternativeTranslator, text: str, count: int, until: float | None
) -> list[Rendering]:
    """Other translations; none if they fail or take half of what is left until a loop time."""
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(None if until is None else (now + until) / 2):
            return await translator.alternatives(text, count)
    except Exception as error:
        log.warning("no other translations: %s", error or type(error).__name__)
        return []


def voice(synthesiser: Synthesiser, part: Part) -> Voice:
    """A synthesiser as the delivery sees it: each speaker in the voice of ``part``."""

    def synthesise(text: str, manner: Manner) -> AsyncGenerator[Samples, None]:
        chosen = replace(manner, voice=part.voice(manner.speaker))
        return synthesiser.synthesise(text, chosen)

    return Voice(
        synthesise,
        synthesiser.sample_rate,
        synthesiser.rate_range,
        synthesiser.characters_per_second,
    )
