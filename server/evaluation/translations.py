"""The translators of the systems by themselves, to tell where dubs lose what could be said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.config import load
from server.engines.options import options_of
from server.evaluation.systems import System
from stages.base import SpeechTranslator, Translator
from stages.mt.glossary import Glossary
from stages.registry import create


class Translations:
    """Translates as a system does, sentence by sentence, each without context.

    Args:
        languages: of the set and of the dubs, for systems that do not say.
    """

    def __init__(self, languages: tuple[str, str]) -> None:
        self._settings = tuple(
            f"languages.{end}={language}"
            for end, language in zip(("source", "target"), languages, strict=True)
        )
        self._translators: dict[str, Translator | SpeechTranslator] = {}
        self._known: dict[tuple[str, str], str] = {}

    def of(self, system: System) -> Callable[[str], str] | None:
        """The translator of one system, loaded once; ``None`` if it translates sound.

        Finished files are taken for the defaults'.

        Raises:
            EngineError: if it cannot be loaded.
        """
        settings = self._settings if system.kind == "files" else system.settings
        config = load(system.config, assignments=settings)
        name, options = options_of("mt", config)
        terms = config.mt.glossary
        key = repr((name, sorted(options.items()), sorted(terms.items())))
        if key not in self._translators:
            model: Translator | SpeechTranslator = create("mt", name, **options)
            if terms and not isinstance(model, SpeechTranslator):
                model = Glossary(model, terms)
            self._translators[key] = model
        translator = self._translators[key]
        if isinstance(translator, SpeechTranslator):
            return None

        def translate(text: str) -> str:
            if (key, text) not in self._known:
                made = asyncio.run(translator.translate(text)) if text else ""
                self._known[key, text] = made
            return self._known[key, text]

        return translate

    def close(self) -> None:
        """Free the models."""
        for translator in self._translators.values():
            asyncio.run(translator.aclose())
