"""Translation of a source in which several languages are spoken: each from its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from stages.base import EngineError
from stream.dub.job import Heard, Translated
from stream.languages import language_name, same_language

Translate = Callable[[Heard, asyncio.Timeout], Awaitable[Translated]]


def by_language(target: str, translation: Callable[[str], Awaitable[Translate]]) -> Translate:
    """The translation stage of a track that leaves alone what it cannot, or need not, translate.

    Args:
        target: language of the track.
        translation: makes the stage for a source language; or raises ``EngineError``.
    """
    stages: dict[str, Translate] = {}
    reasons: dict[str, str] = {}

    async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
        text, language = heard.transcript.text, heard.transcript.language
        if same_language(language, target):
            return Translated(text, left=f"{language_name(language)} is the language of the dub")
        if language not in stages and language not in reasons:
            try:
                stages[language] = await translation(language)
            except EngineError as error:
                reasons[language] = str(error)
        if language in reasons:
            return Translated("", left=reasons[language])
        return await stages[language](heard, limit)

    return translate
