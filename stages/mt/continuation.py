"""The rest of a sentence whose beginning was translated, and spoken, already."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from stages.base import AlternativeTranslator, Rendering, Translator
from stages.text.function_words import conjunctions
from stages.text.sentences import APART, ends_sentence, sentences
from stream.frames import letters
from stream.timeline import Interval, ticks

DIFFERENCE = 0.35
"""Word edits, over the words spoken, by which a sentence may begin in another way than it was
spoken and still count as the same."""

REWORDED = 0.6
"""The same where what was spoken last can still be spoken otherwise."""

SUBSTANCE = 0.5
"""Words of a translation for each of the source: with fewer, some of it was taken for spoken."""

BREATH = ticks(0.6)
"""Silence, in ticks, up to which a conjunction continues a sentence that seemed over."""

LONGEST = 180
"""Characters of a sentence: translators derail on longer ones."""


@dataclass(slots=True)
class Begun:
    """A sentence under way.

    Attributes:
        heard: its text so far, in the source's language.
        before: what was spoken of it, but for the last part.
        last: the last part as it was spoken.
        lead: what was spoken in one go with the last part, before the sentence.
        end: of the last part in the source, ticks.
        speaker: who says it.
        over: whether it seemed to have ended.
    """

    heard: str
    before: str
    last: str
    lead: str
    end: int
    speaker: str
    over: bool = False

    @property
    def spoken(self) -> str:
        """All that was spoken of it."""
        return f"{self.before} {self.last}".strip()

    def continued(self, text: str) -> str:
        """The sentence in the source's language, going on with ``text``."""
        if not self.over:
            return f"{self.heard} {text}"
        return f"{self.heard.rstrip()[:-1]}, {text[:1].lower()}{text[1:]}"


class Context:
    """The sentence that one dubbed track is in.

    Args:
        language: ISO 639-1 code of the source.
    """

    def __init__(self, language: str = "") -> None:
        self._opening = conjunctions(language)
        self._begun: Begun | None = None

    def translator(
        self, translator: Translator, text: str, slot: Interval, speaker: str
    ) -> Translator:
        """``translator``, or an ``InContext``, where ``text`` continues a sentence."""
        begun = self._begun
        if begun is None or begun.speaker != speaker or slot.start - begun.end > APART:
            return translator
        if begun.over and not self._goes_on(begun, text, slot):
            return translator
        if len(begun.heard) + len(text) >= LONGEST:
            return translator
        return InContext(translator, begun)

    def add(self, heard: str, spoken: str, slot: Interval, speaker: str, *, new: bool) -> None:
        """An utterance was translated.

        Args:
            heard: its text.
            spoken: its translation.
            slot: where it was said.
            speaker: who said it.
            new: whether it was translated by itself.
        """
        before = ""
        if self._begun is not None and not new:
            heard, before = self._begun.continued(heard), self._begun.spoken
        self._begun = None
        if not heard.strip() or not spoken.strip():
            return
        said, written = sentences(heard), sentences(spoken)
        alone = len(said) == 1 or len(written) == 1
        last = spoken if alone else written[-1]
        lead = "" if alone else spoken[: len(spoken.rstrip()) - len(last)]
        before = before if len(said) == 1 else ""
        over = ends_sentence(heard)
        self._begun = Begun(said[-1], before, last, lead, slot.end, speaker, over)

    def _goes_on(self, begun: Begun, text: str, slot: Interval) -> bool:
        """Whether a sentence that seemed over goes on: after a breath comes a conjunction."""
        first = text.split(maxsplit=1)[:1]
        return (
            begun.heard.rstrip().endswith(".")
            and slot.start - begun.end <= BREATH
            and bool(first)
            and first[0].strip(string.punctuation).casefold() in self._opening
        )


class InContext:
    """A translator of what continues a sentence; see ``AlternativeTranslator``.

    The sentence is translated as far as it is known, and what was spoken of it is taken off at
    the front. Where the model now begins it otherwise than it was spoken, what was added is
    translated by itself.

    Args:
        translator: the model.
        begun: the sentence's beginning.
    """

    def __init__(self, translator: Translator, begun: Begun) -> None:
        self._translator = translator
        self._begun = begun
        self._whole: tuple[str, str] | None = None

    async def translate(self, text: str) -> str:
        """Translate what was added."""
        rest = continuation(await self._translated(text), self._begun.spoken, text)
        return rest if rest is not None else await self._translator.translate(text)

    async def rewording(self, text: str) -> str | None:
        """How the part before would have been translated, had the rest of the sentence been known.

        Args:
            text: what was added.

        Returns:
            All that is spoken in one go with that part; ``None`` if it is fine as it is, or cannot
            be told from what was added.
        """
        begun = self._begun
        words = (await self._translated(text)).split()
        if begun.before:
            at, edits = _beginning(words, begun.before)
            if edits > DIFFERENCE * len(begun.before.split()):
                return None
            words = words[at:]
        at, edits = _beginning(words, begun.last)
        last = " ".join(words[:at])
        alike = at > 0 and edits <= REWORDED * len(begun.last.split())
        if not alike or last == begun.last or _insubstantial(words[at:], text):
            return None
        return begun.lead + last

    def reworded(self, spoken: str) -> None:
        """Take note that the part before will be spoken as ``rewording`` said."""
        self._begun.last = spoken[len(self._begun.lead) :]

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Translations of the sentence that begin as it was spoken, less what was."""
        if not isinstance(self._translator, AlternativeTranslator):
            return []
        found = await self._translator.alternatives(self._begun.continued(text), count)
        spoken = self._begun.spoken
        rests = {continuation(whole.text, spoken, text): whole.score for whole in found[::-1]}
        own = [Rendering(rest, score) for rest, score in rests.items() if rest is not None]
        return sorted(own, key=lambda rendering: -rendering.score)

    async def aclose(self) -> None:
        """Free the model."""
        await self._translator.aclose()

    async def _translated(self, text: str) -> str:
        heard = self._begun.continued(text)
        if self._whole is None or self._whole[0] != heard:
            self._whole = heard, await self._translator.translate(heard)
        return self._whole[1]


def continuation(whole: str, spoken: str, added: str) -> str | None:
    """What is left to say of a sentence.

    Matches the words of ``spoken`` with the first words of ``whole`` by the fewest edits.

    Args:
        whole: translation of the sentence as far as it is known.
        spoken: translation of its beginning, as it was spoken.
        added: what was said since, in the source's language.

    Returns:
        The last words of ``whole``, or ``None`` if it does not begin like what was spoken.
    """
    words = whole.split()
    at, edits = _beginning(words, spoken)
    rest = words[at:]
    if edits > DIFFERENCE * len(spoken.split()) or _insubstantial(rest, added):
        return None
    return " ".join(rest)


def _beginning(words: Sequence[str], spoken: str) -> tuple[int, int]:
    """How many first ``words`` are most like what was spoken, and the word edits between them."""
    begun, known = [letters(w) for w in spoken.split()], [letters(w) for w in words]
    edits = list(range(len(known) + 1))  # of nothing into each beginning of the words
    for count, word in enumerate(begun, 1):
        above, edits = edits, [count]
        for place, other in enumerate(known):
            here = above[place] + (word != other)
            edits.append(min(here, above[place + 1] + 1, edits[place] + 1))
    at = min(range(len(edits)), key=lambda place: (edits[place], -place))
    return at, edits[at]


def _insubstantial(rest: Sequence[str], added: str) -> bool:
    return len(rest) < SUBSTANCE * len(added.split())
