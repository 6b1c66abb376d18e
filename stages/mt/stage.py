"""The translation stage: text that fits the slot, in the context of its sentence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from stages.base import AlternativeTranslator, Rendering, SpeechTranslator, Translator
from stages.mt.choose import choose, misfit
from stages.mt.continuation import Context, InContext
from stages.mt.glossary import Glossary
from stages.options import MtConfig
from stream.dub.job import Heard, StageFault, Translated
from stream.errors import message

log = logging.getLogger(__name__)

Reword = Callable[[int, str, Heard], Awaitable[bool]]
"""Has the dub of an utterance spoken in other words, before the one that is being translated."""


def translation(
    translator: Translator | SpeechTranslator,
    options: MtConfig,
    language: str,
    expected: Callable[[str], int],
    reword: Reword,
) -> Callable[[Heard, asyncio.Timeout], Awaitable[Translated]]:
    """The translation of what was said, if need be in words that fit the slot better.

    It is made for one track, and remembers the sentence that is under way.

    Args:
        translator: the engine.
        options: how many translations to choose from, and how.
        language: ISO 639-1 code of the source.
        expected: ticks that the voice takes for a text at its own rate.
        reword: see ``Reword``.

    Returns:
        A function that raises ``StageFault`` where no translation comes back.
    """
    if isinstance(translator, SpeechTranslator):
        return by_sound(translator)
    model = Glossary(translator, options.glossary) if options.glossary else translator
    context = Context(language)
    before: int | None = None

    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        nonlocal before
        text = heard.transcript.text
        translator = context.translator(model, heard) if options.context else model
        if isinstance(translator, InContext) and before is not None:
            rewording = await translator.rewording(text)
            if rewording is not None and await reword(before, rewording, heard):
                translator.reworded()
        translated = Translated(await translator.translate(text))
        if not translated.text.strip():
            raise StageFault("no translation came back")
        if misfit(expected(translated.text), heard.slot.duration) != 0:
            translated = await better(heard, translated, translator, limit)
        context.add(heard, translated.text, translator)
        before = heard.id
        return translated

    async def better(
        heard: Heard, first: Translated, translator: Translator, limit: asyncio.Timeout
    ) -> Translated:
        """The translation that fits the slot best, if there are others to choose from."""
        if options.alternatives == 1 or not isinstance(translator, AlternativeTranslator):
            return first
        text, count = heard.transcript.text, options.alternatives
        others = await _alternatives(translator, text, count, limit.when())
        if not others:
            return first
        lengths = [expected(other.text) for other in others]
        scores = [other.score for other in others]
        chosen = choose(scores, lengths, heard.slot.duration, options.length_weight)
        return Translated(others[chosen].text, len(others), chosen)

    return translate


def by_sound(
    translator: SpeechTranslator,
) -> Callable[[Heard, asyncio.Timeout], Awaitable[Translated]]:
    """The translation of what was said, from its sound alone; see ``translation``."""

    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        text = await translator.translate_speech(heard.utterance.audio)
        if not text.strip():
            raise StageFault("no translation came back")
        return Translated(text)

    return translate


async def _alternatives(
    translator: AlternativeTranslator, text: str, count: int, until: float | None
) -> list[Rendering]:
    """Other translations; none if they fail or take half of what is left until a loop time."""
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(None if until is None else (now + until) / 2):
            return await translator.alternatives(text, count)
    except Exception as error:
        log.warning("no other translations: %s", message(error))
        return []
