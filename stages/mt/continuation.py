"""The rest of a sentence whose beginning was translated, and spoken, already."""

from __future__ import annotations

from dataclasses import dataclass

from stages.base import AlternativeTranslator, Rendering, Translator
from stages.sentences import APART, ends_sentence, sentences
from stream.frames import letters
from stream.timeline import Interval

DIFFERENCE = 0.35
"""Word edits, over the words spoken, by which a sentence may begin in another way than it was
spoken and still count as the same."""

SUBSTANCE = 0.5
"""Words of a translation for each of the source: with fewer, some of it was taken for spoken."""

LONGEST = 180
"""Characters of a sentence: translators lose their way in longer ones."""


@dataclass(frozen=True, slots=True)
class _Begun:
    heard: str
    spoken: str
    end: int
    speaker: str


class Context:
    """The sentence that one dubbed track is in."""

    def __init__(self) -> None:
        self._begun: _Begun | None = None

    def translator(
        self, translator: Translator, text: str, slot: Interval, speaker: str
    ) -> Translator:
        """``translator``, or what lets it see the sentence that ``text`` continues."""
        begun = self._begun
        if begun is None or begun.speaker != speaker or slot.start - begun.end > APART:
            return translator
        if len(begun.heard) + len(text) >= LONGEST:
            return translator
        return InContext(translator, begun.heard, begun.spoken)

    def add(self, heard: str, spoken: str, slot: Interval, speaker: str, *, new: bool) -> None:
        """An utterance was translated.

        Args:
            heard: its text.
            spoken: its translation.
            slot: where it was said.
            speaker: who said it.
            new: whether it was translated by itself.
        """
        if self._begun is not None and not new:
            heard = f"{self._begun.heard} {heard}"
            spoken = f"{self._begun.spoken} {spoken}"
        self._begun = None
        if not ends_sentence(heard) and heard.strip() and spoken.strip():
            self._begun = _Begun(sentences(heard)[-1], sentences(spoken)[-1], slot.end, speaker)


class InContext:
    """A translator of what continues a sentence; see ``AlternativeTranslator``.

    The sentence is translated as far as it is known, and what was spoken of it is taken off at
    the front. Where the model now begins it otherwise than it was spoken, what was added is
    translated by itself.

    Args:
        translator: the model.
        heard: the sentence's beginning.
        spoken: the translation of that.
    """

    def __init__(self, translator: Translator, heard: str, spoken: str) -> None:
        self._translator = translator
        self._heard = heard
        self._spoken = spoken

    async def translate(self, text: str) -> str:
        """Translate what was added."""
        whole = await self._translator.translate(f"{self._heard} {text}")
        rest = continuation(whole, self._spoken, text)
        return rest if rest is not None else await self._translator.translate(text)

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Translations of the sentence that begin as it was spoken, less what was."""
        if not isinstance(self._translator, AlternativeTranslator):
            return []
        found = await self._translator.alternatives(f"{self._heard} {text}", count)
        rests = {continuation(whole.text, self._spoken, text): whole.score for whole in found[::-1]}
        own = [Rendering(rest, score) for rest, score in rests.items() if rest is not None]
        return sorted(own, key=lambda rendering: -rendering.score)

    async def aclose(self) -> None:
        """Free the model."""
        await self._translator.aclose()


def continuation(whole: str, spoken: str, added: str) -> str | None:
    """What is left to say of a sentence.

    Sees the words of ``spoken`` in those that ``whole`` begins with, by the fewest edits.

    Args:
        whole: translation of the sentence as far as it is known.
        spoken: translation of its beginning, as it was spoken.
        added: what was heard since, in the source's language.

    Returns:
        The last words of ``whole``, or ``None`` if it does not begin like what was spoken.
    """
    words = whole.split()
    begun, known = [letters(w) for w in spoken.split()], [letters(w) for w in words]
    edits = list(range(len(known) + 1))  # of nothing into each beginning of the whole
    for count, word in enumerate(begun, 1):
        above, edits = edits, [count]
        for place, other in enumerate(known):
            here = above[place] + (word != other)
            edits.append(min(here, above[place + 1] + 1, edits[place] + 1))
    at = min(range(len(edits)), key=lambda place: (edits[place], -place))
    rest = words[at:]
    if edits[at] > DIFFERENCE * len(begun) or len(rest) < SUBSTANCE * len(added.split()):
        return None
    return " ".join(rest)
