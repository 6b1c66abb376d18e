"""The translation stage: text that fits the slot, in the context of its sentence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from stages.base import AlternativeTranslator, Rendering, SpeechTranslator, Translator
from stages.mt.broken import fault
from stages.mt.by_sound import by_sound
from stages.mt.choose import choose, misfit
from stages.mt.continuation import Context, InContext
from stages.mt.glossary import keeping
from stages.options import MtConfig
from stream.dub.job import Heard, StageFault, Translated
from stream.errors import message
from stream.timeline import Interval

log = logging.getLogger(__name__)

MENDING = 8
"""Translations among which one is sought that is not broken."""

Reword = Callable[[int, str, Heard], Awaitable[bool]]
"""Has the dub of an utterance spoken in other words, before the one that is being translated."""


def translation(
    translator: Translator | SpeechTranslator,
    options: MtConfig,
    language: str,
    expected: Callable[[str], int],
    reword: Reword,
    target: str = "",
    glossary: Callable[[], Mapping[str, str]] | None = None,
) -> Callable[[Heard, asyncio.Timeout], Awaitable[Translated]]:
    """The translation of what was said, if need be in words that fit the slot better.

    It is made for one track, and remembers the sentence that is under way.

    Args:
        translator: the engine.
        options: how many translations to choose from, and how.
        language: ISO 639-1 code of the source.
        expected: ticks that the voice takes for a text at its own rate.
        reword: see ``Reword``.
        target: code of the dub's language, if its script is to be checked.
        glossary: the one of the moment; that of ``options`` where it does not change.

    Returns:
        A function that raises ``StageFault`` where no translation comes back.
    """
    if isinstance(translator, SpeechTranslator):
        return by_sound(translator, goes_on=options.context)
    current = keeping(translator, glossary or (lambda: options.glossary))
    context = Context(language)
    before: int | None = None

    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        nonlocal before
        text, model = heard.transcript.text, current()
        translator = context.translator(model, heard) if options.context else model
        if isinstance(translator, InContext) and before is not None:
            rewording = await translator.rewording(text)
            if rewording is not None and await reword(before, rewording, heard):
                translator.reworded()
        translated = Translated(await translator.translate(text))
        if not translated.text.strip():
            raise StageFault("no translation came back")
        if fault(text, translated.text, target) is not None:
            translated = await _mended(heard, translated, translator, target, limit.when())
        if misfit(expected(translated.text), heard.slot.duration) != 0:
            others = await _alternatives(translator, text, options.alternatives, limit.when())
            sound = [other for other in others if fault(text, other.text, target) is None]
            translated = _fitting(translated, sound, expected, heard.slot, options.length_weight)
        context.add(heard, translated.text, translator)
        before = heard.id
        return translated

    return translate


def _fitting(
    first: Translated,
    others: Sequence[Rendering],
    expected: Callable[[str], int],
    slot: Interval,
    weight: float,
) -> Translated:
    """The translation that fits the slot best, if there are others to choose from."""
    if not others:
        return first
    lengths = [expected(other.text) for other in others]
    chosen = choose([other.score for other in others], lengths, slot.duration, weight)
    text, count = others[chosen].text, len(others)
    return replace(first, text=text, candidates=count, chosen=chosen, broken=None)


async def _mended(
    heard: Heard, first: Translated, translator: Translator, target: str, until: float | None
) -> Translated:
    """The likeliest translation that is not broken; the first if all are."""
    text = heard.transcript.text
    for other in await _alternatives(translator, text, MENDING, until):
        if fault(text, other.text, target) is None:
            return replace(first, text=other.text, mended=True)
    broken = fault(text, first.text, target)
    log.warning("utterance %d: its translation has %s", heard.id, broken)
    return replace(first, broken=broken)


async def _alternatives(
    translator: Translator, text: str, count: int, until: float | None
) -> list[Rendering]:
    """Other translations; none if they fail or take half of what is left until a loop time."""
    if count == 1 or not isinstance(translator, AlternativeTranslator):
        return []
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(None if until is None else (now + until) / 2):
            return await translator.alternatives(text, count)
    except Exception as error:
        log.warning("no other translations: %s", message(error))
        return []
