"""The glossary: terms with a fixed translation, whatever the model would make of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from stages.base import (
    AlternativeTranslator,
    ContinuingTranslator,
    Rendering,
    TargetWord,
    Translator,
)


class Glossary:
    """A translator that keeps to a glossary.

    Each term is put into the text in its own translation, which models tend to copy; what comes
    back is used only if every term is in it. Otherwise the text is translated as it is, and
    what the model makes of the term alone is replaced where it occurs. If it does not occur
    either (inflected, or left out) the translation stays as the model wrote it: a term is never
    forced into a place where it may not belong.

    Args:
        translator: the model.
        terms: translation by term; found as whole words, in any case.
    """

    def __init__(self, translator: Translator, terms: Mapping[str, str]) -> None:
        self._translator = translator
        self._terms = terms
        # Longer terms first: "hard disk" before "disk".
        ordered = sorted(terms, key=len, reverse=True)
        self._pattern = re.compile(
            rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)", re.IGNORECASE
        )

    async def translate(self, text: str) -> str:
        """Translate one utterance's text, its terms as the glossary says."""
        found = self._pattern.findall(text)
        if not found:
            return await self._translator.translate(text)
        wanted = {term: self._translation(term) for term in found}
        marked = await self._translator.translate(
            self._pattern.sub(lambda match: wanted[match[0]], text)
        )
        if all(_occurs(translation, marked) for translation in wanted.values()):
            return _respelt(marked, wanted)
        plain = await self._translator.translate(text)
        for term, translation in wanted.items():
            own = (await self._translator.translate(term)).strip(" .,;:!?…")
            if own and not _occurs(translation, plain):
                plain = _put(translation, own, plain)
        return plain

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """The model's alternatives for text without terms; none for text with them."""
        model = self._translator
        if self._pattern.search(text) or not isinstance(model, AlternativeTranslator):
            return []
        return await model.alternatives(text, count)

    async def continuations(self, text: str, spoken: str, count: int) -> list[Rendering]:
        """The model's continuations; of text with terms, those that keep to them."""
        model = self._translator
        if not isinstance(model, ContinuingTranslator):
            return []
        matches = list(self._pattern.finditer(text))
        wanted = {match[0]: self._translation(match[0]) for match in matches}
        marked = self._pattern.sub(lambda match: wanted[match[0]], text)
        found = await model.continuations(marked, spoken, count)
        return [
            _as_said(one, matches, wanted)
            for one in found
            if all(_occurs(term, f"{spoken} {one.text}") for term in wanted.values())
        ]

    def _translation(self, said: str) -> str:
        """Of a term as it was found, which is in another case, as only the pattern knows it."""
        if said in self._terms:
            return self._terms[said]
        # No other folding of case is the same: to regular expressions, K and ı are k and i.
        alike = (t for t in self._terms if re.fullmatch(re.escape(t), said, re.IGNORECASE))
        return self._terms[next(alike)]

    async def aclose(self) -> None:
        """Free the model."""
        await self._translator.aclose()


def keeping(
    translator: Translator, terms: Callable[[], Mapping[str, str]]
) -> Callable[[], Translator]:
    """The translator as it keeps to the glossary of the moment.

    Args:
        translator: the model.
        terms: translation by term, now; another mapping where it has changed.
    """
    now: Mapping[str, str] = {}
    kept = translator

    def current() -> Translator:
        nonlocal now, kept
        if (newest := terms()) is not now:
            now = newest
            kept = Glossary(translator, newest) if newest else translator
        return kept

    return current


def _as_said(
    one: Rendering, matches: Sequence[re.Match[str]], wanted: Mapping[str, str]
) -> Rendering:
    """A rendering of the text with its terms put in, as one of the text as it was said."""
    words = []
    for word in one.words:
        shift = 0
        for match in matches:
            if match.start() + shift > word.source:
                break
            shift += len(wanted[match[0]]) - len(match[0])
        words.append(TargetWord(_respelt(word.text, wanted), max(word.source - shift, 0)))
    return Rendering(_respelt(one.text, wanted), one.score, tuple(words))


def _occurs(term: str, text: str) -> bool:
    return _whole(term).search(text) is not None


def _respelt(text: str, wanted: Mapping[str, str]) -> str:
    """``text`` with the capitals of the glossary, which models change."""
    for translation in wanted.values():
        if translation != translation.lower():
            text = _put(translation, translation, text)
    return text


def _put(translation: str, replaced: str, text: str) -> str:
    return _whole(replaced).sub(lambda match: translation, text)


def _whole(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(term)}(?!\w)", re.IGNORECASE)
