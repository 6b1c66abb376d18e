"""Translators from every language that is spoken in one source, loaded when it first occurs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.config import AUTO, Config
from server.engines.settled import settled
from stages.base import EngineError, SpeechTranslator, Translator
from stages.languages.options import Languages
from stream.languages import language_name

MOST = 8
"""Languages that are translated in one lane."""

Loads = Callable[[Config], Awaitable[Translator | SpeechTranslator]]
"""Has the translator of a configuration's one source language; or raises."""


class Translators:
    """The translators of one lane, by source language.

    Args:
        config: checked, for the lane's target language.
        load: off the event loop.
    """

    def __init__(self, config: Config, load: Loads) -> None:
        self.config = config
        self._load = load
        self._loading: dict[str, asyncio.Task[Translator | SpeechTranslator]] = {}

    @property
    def cost(self) -> float:
        """That of the slowest translator of speech that is loaded; see ``SpeechTranslator``."""
        done = [one.result() for one in self._loading.values() if one.done() and _worked(one)]
        return max((one.cost for one in done if isinstance(one, SpeechTranslator)), default=0.0)

    async def of(self, language: str) -> Translator | SpeechTranslator:
        """The translator from a language.

        Loading goes on where the caller gives up: the next utterance will find it.

        Raises:
            EngineError: if there is none; in one sentence.
        """
        if language not in self._loading:
            if len(self._loading) >= MOST:
                raise EngineError(f"{MOST} languages are translated already")
            task = asyncio.create_task(self._loaded(language), name=f"load mt {language}")
            task.add_done_callback(_worked)  # whoever asks is told
            self._loading[language] = task
        return await asyncio.shield(self._loading[language])

    def wrapped(
        self, wrap: Callable[[Translator | SpeechTranslator, Config], Translator | SpeechTranslator]
    ) -> Translators:
        """The same with something around each translator, which is given its configuration."""

        async def load(config: Config) -> Translator | SpeechTranslator:
            return wrap(await self.of(config.source), config)

        return Translators(self.config, load)

    def close(self) -> None:
        """Load no more."""
        for task in self._loading.values():
            task.cancel()

    async def _loaded(self, language: str) -> Translator | SpeechTranslator:
        spoken = Languages(source=language, target=self.config.target)
        config = self.config.model_copy(update={"languages": spoken})
        try:
            return await self._load(await asyncio.to_thread(settled, config, "mt"))
        except EngineError as error:
            if self.config.mt.engine != AUTO:
                raise
            raise EngineError(
                f"nothing that is installed translates from {language_name(language)}: see livedub "
                f"languages --source {language} --target {self.config.target}"
            ) from error


def _worked(task: asyncio.Task[Translator | SpeechTranslator]) -> bool:
    return not task.cancelled() and task.exception() is None
