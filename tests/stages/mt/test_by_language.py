import asyncio

import numpy as np

from stages.base import EngineError
from stages.mt.by_language import Translate, by_language
from stream.dub.job import Heard, Translated
from stream.frames import Transcript, Utterance
from stream.timeline import Interval


async def test_each_language_is_translated_from_its_own_or_left() -> None:
    asked: list[str] = []

    async def translation(language: str) -> Translate:
        asked.append(language)
        if language == "fi":
            raise EngineError("nothing translates from Finnish")

        async def translate(heard: Heard, limit: asyncio.Timeout) -> Translated:
            return Translated(f"{language}: {heard.transcript.text}")

        return translate

    translate = by_language("pt-BR", translation)

    async def said(language: str) -> Translated:
        utterance = Utterance(0, Interval(0, 9), np.zeros(3, np.float32), 0, "pause")
        async with asyncio.timeout(None) as limit:
            return await translate(Heard(utterance, Transcript("...", language)), limit)

    assert await said("en") == await said("en") == Translated("en: ...")
    assert await said("pt") == Translated("...", left="Portuguese is the language of the dub")
    assert (
        await said("fi")
        == await said("fi")
        == Translated("", left="nothing translates from Finnish")
    )
    assert asked == ["en", "fi"]
