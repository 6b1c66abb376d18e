"""What each stage does with a job, for files and live sessions alike: engines as stages."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from server.config import AsrConfig, Config, MtConfig, TtsConfig
from server.sessions.casting import Part
from stages.asr.denoised import DenoisedRecogniser
from stages.asr.sentence_case import SentenceCase
from stages.asr.units import Units
from stages.base import AlternativeTranslator, Recogniser, Rendering, Synthesiser, Translator
from stages.mt.choose import choose, misfit
from stages.mt.continuation import Context, InContext
from stages.mt.glossary import Glossary
from stages.text.function_words import conjunctions, leaning
from stages.tts.proofread import Proofread
from stream.dub.deliver import Voice
from stream.dub.job import DubJob, StageFault
from stream.frames import Fate, Samples, Transcript
from stream.speech.agreement import LocalAgreement
from stream.speech.incremental import BREATH, Incremental
from stream.speech.segment import Segmenter, within_delay

log = logging.getLogger(__name__)

Work = Callable[[DubJob], Awaitable[None]]

Reword = Callable[[DubJob, str, DubJob], Awaitable[bool]]
"""See ``Delivery.reword``."""

REACTION = 0.5
"""Seconds that recognition and translation take together."""

CONTEXT = 4.0
"""Seconds of speech before an utterance that are heard again with it."""

SOON = 0.07
"""Seconds before the end of the pause that ends an utterance where nobody waits for it."""


def hearing(recogniser: Recogniser, config: AsrConfig) -> Recogniser:
    """The recogniser, behind a denoiser if the configuration wants one.

    Raises:
        EngineError: if the denoiser's model cannot be used.
    """
    if config.denoise == "none":
        return recogniser
    return DenoisedRecogniser(recogniser, config.denoise, config.denoise_model)


def listened_to(
    synthesiser: Synthesiser, listener: Recogniser | None, config: TtsConfig
) -> Synthesiser:
    """The synthesiser, behind somebody who listens to it if the configuration wants one.

    Half of the stage's deadline is left for the reading that was begun last.
    """
    if listener is None:
        return synthesiser
    return Proofread(synthesiser, listener, config.deadline / 2)


def recognition(recogniser: Recogniser) -> Work:
    """Hear what is said, unless it is known; an utterance without words is settled.

    It is made for one source, and remembers whether a sentence is under way.
    """
    case = SentenceCase()

    async def work(job: DubJob) -> None:
        if job.transcript is None and job.hearing is not None:
            job.transcript = await asyncio.shield(job.hearing)
        if job.transcript is None or not (job.transcript.text.strip() or job.transcript.rejected):
            # While it was under way no word was found in it: as a whole it may be understood.
            job.transcript = await recogniser.recognise(job.utterance.audio)
        if not job.transcript.text.strip():
            job.give_up(Fate.EMPTY)
        text = case.of(job.transcript.text, job.slot)
        job.transcript = replace(job.transcript, text=text)

    return work


def timed(recogniser: Recogniser) -> Callable[[Samples], Awaitable[Transcript]]:
    """Hear what is said in speech that may have to be cut, with the times of its words."""

    async def hear(audio: Samples) -> Transcript:
        return await recogniser.recognise(audio, words=True)

    return hear


def increments(
    config: Config, segmenter: Segmenter, *, live: bool, pace: float
) -> Incremental | None:
    """Recognition while people speak, where it is configured.

    Args:
        config: checked.
        segmenter: of the same stream.
        live: whether somebody waits.
        pace: seconds that the slowest synthesiser takes for a second of speech.
    """
    if config.asr.mode != "incremental":
        return None
    options = segmenter.options
    return Incremental(
        segmenter,
        # Where speech is heard once, there is nothing that could agree.
        LocalAgreement(config.asr.agreement if live else 1),
        Units(options, config.languages.source, live=live),
        # What hearing more often would bring is less than what it takes from a voice that is slow.
        step=config.asr.step * min(1 + 2 * pace, 2) if live else math.inf,
        breath=BREATH if live else options.pause - SOON,
    )


def segmenter(config: Config, window: int, *, delay: float | None, pace: float) -> Segmenter:
    """The segmenter of a stream.

    Args:
        config: checked.
        window: samples of one speech probability.
        delay: seconds that the viewer is behind; ``None`` where nobody watches.
        pace: seconds that the slowest synthesiser takes for a second of speech.
    """
    options, incremental = config.segment, config.asr.mode == "incremental"
    if delay is not None:
        reaction = REACTION if incremental else options.pause + REACTION
        options = within_delay(options, delay, pace, reaction)
    elif incremental:
        # Heard with what follows, an end of a sentence is told from a breath.
        options = replace(options, pause=options.late_pause, early_pause=options.late_pause)
    language = config.languages.source
    return Segmenter(
        options,
        window,
        breaths=not incremental,
        leaning=leaning(language),
        opening=conjunctions(language),
        context=CONTEXT if incremental else 0.0,
    )


def translation(
    translator: Translator,
    options: MtConfig,
    language: str,
    expected: Callable[[str], int],
    reword: Reword,
) -> Work:
    """Translate what was heard, if need be in words that fit the slot better.

    It is made for one track, and remembers the sentence that is under way.

    Args:
        translator: the engine.
        options: how many translations to choose from, and how.
        language: ISO 639-1 code of the source.
        expected: ticks that the voice takes for a text at its own rate.
        reword: speaks the dub before in other words.
    """
    model = Glossary(translator, options.glossary) if options.glossary else translator
    context = Context(language)
    before: DubJob | None = None

    async def work(job: DubJob) -> None:
        nonlocal before
        assert job.transcript is not None
        text, slot, speaker = job.transcript.text, job.slot, job.utterance.speaker
        translator = context.translator(model, text, slot, speaker) if options.context else model
        if isinstance(translator, InContext) and before is not None:
            rewording = await translator.rewording(text)
            if rewording is not None and await reword(before, rewording, job):
                translator.reworded(rewording)
        job.translation = await translator.translate(text)
        if not job.translation.strip():
            raise StageFault("no translation came back")
        if misfit(expected(job.translation), slot.duration) != 0:
            await _choose(job, translator)
        context.add(text, job.translation, slot, speaker, new=translator is model)
        before = job

    async def _choose(job: DubJob, translator: Translator) -> None:
        assert job.transcript is not None
        if options.alternatives == 1 or not isinstance(translator, AlternativeTranslator):
            return
        until = job.timeout.when() if job.timeout is not None else None
        text = job.transcript.text
        others = await _alternatives(translator, text, options.alternatives, until)
        if others:
            lengths = [expected(other.text) for other in others]
            scores = [other.score for other in others]
            chosen = choose(scores, lengths, job.slot.duration, options.length_weight)
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
    return Voice(
        synthesiser.synthesise,
        synthesiser.sample_rate,
        synthesiser.rate_range,
        synthesiser.characters_per_second,
        part.voice,
    )
