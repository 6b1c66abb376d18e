"""The translation stage: text that fits the slot, in the context of its sentence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from stages.base import AlternativeTranslator, Rendering, Translator
from stages.mt.choose import choose, misfit
from stages.mt.continuation import Context, InContext
from stages.mt.glossary import Glossary
from stages.options import MtConfig
from stream.dub.job import DubJob, StageFault, Work

log = logging.getLogger(__name__)


Reword = Callable[[DubJob, str, DubJob], Awaitable[bool]]
"""See ``Delivery.reword``."""


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
