"""A sentence translated as it grows: on from what was spoken of it.

What is known of the sentence is the source, and what was heard of its translation is how that has
to begin. Where what was spoken last can still be spoken otherwise, it is translated anew as well.
And where the speaker goes on without a pause, what depends on the newest word waits for the rest:
an adjective for its noun. Which words of the translation stand for which of the source is told by
their alignment: AlignAtt (Papi et al. 2023, arXiv 2305.11408), with words in place of sound.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from stages.base import ContinuingTranslator, Rendering, TargetWord, Translator
from stages.text.function_words import conjunctions
from stages.text.sentences import APART, ends_sentence, sentences
from stream.dub.job import Heard
from stream.timeline import ticks

SUBSTANCE = 0.5
"""Words of a translation for each of the source: with fewer, some of it was taken for spoken."""

BREATH = ticks(0.6)
"""Silence, in ticks, up to which a conjunction continues a sentence that seemed over."""

LONGEST = 180
"""Characters of a sentence: translators derail on longer ones."""

UNSURE = 1
"""Words at the end of what is known of a sentence whose translation waits for the next ones."""

_MARKS = " ,.;:!?…"


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
        joint: what stands between the parts where it goes on all the same.
        owed: what was translated of it and not spoken yet.
    """

    heard: str = ""
    before: str = ""
    last: str = ""
    lead: str = ""
    end: int = 0
    speaker: str = ""
    over: bool = False
    joint: str = ", "
    owed: str = ""

    @property
    def spoken(self) -> str:
        """All that was spoken of it."""
        return f"{self.before} {self.last}".strip()

    def continued(self, text: str) -> str:
        """The sentence in the source's language, going on with ``text``."""
        if not self.over:
            return f"{self.heard} {text}".lstrip()
        return f"{self.heard.rstrip()[:-1]}{self.joint}{text[:1].lower()}{text[1:]}"


class Context:
    """The sentence that one dubbed track is in.

    Args:
        language: ISO 639-1 code of the source.
    """

    def __init__(self, language: str = "") -> None:
        self._opening = conjunctions(language)
        self._begun: Begun | None = None

    def translator(self, translator: Translator, heard: Heard) -> Translator:
        """An ``InContext``, or ``translator`` itself if it cannot go on from what was spoken."""
        text, utterance = heard.transcript.text, heard.utterance
        if not isinstance(translator, ContinuingTranslator):
            return translator
        begun = self._begun
        goes_on = utterance.ended_by == "cut" and not ends_sentence(text)
        if begun is not None and self._continues(begun, heard):
            return InContext(translator, begun, goes_on=goes_on)
        near = begun is not None and utterance.slot.start - begun.end <= APART
        owed = begun.owed if begun is not None and near else ""
        return InContext(translator, Begun(owed=owed), goes_on=goes_on)

    def add(self, new: Heard, spoken: str, translator: Translator) -> None:
        """An utterance was translated.

        Args:
            new: the utterance.
            spoken: its translation.
            translator: that of this context, which translated it.
        """
        heard, utterance = new.transcript.text, new.utterance
        begun = translator.begun if isinstance(translator, InContext) else Begun()
        owed = translator.owed(spoken) if isinstance(translator, InContext) else ""
        before = begun.spoken
        if begun.heard:
            heard = begun.continued(heard)
        self._begun = None
        if not heard.strip() or not spoken.strip():
            return
        said, written = sentences(heard), sentences(spoken)
        alone = len(said) == 1 or len(written) == 1
        last = spoken if alone else written[-1]
        lead = "" if alone else spoken[: len(spoken.rstrip()) - len(last)]
        before = before if len(said) == 1 else ""
        over = ends_sentence(heard)
        self._begun = Begun(
            said[-1], before, last, lead, utterance.slot.end, utterance.speaker, over, owed=owed
        )

    def _continues(self, begun: Begun, heard: Heard) -> bool:
        text, slot = heard.transcript.text, heard.slot
        if begun.speaker != heard.utterance.speaker or slot.start - begun.end > APART:
            return False
        if begun.over and not self._goes_on(begun, heard):
            return False
        return len(begun.heard) + len(text) < LONGEST

    def _goes_on(self, begun: Begun, heard: Heard) -> bool:
        """Whether a sentence that seemed over goes on.

        Recognisers end it where their sound ends. Once they have heard both parts, they write the
        second in lower case; and after a breath comes a conjunction.
        """
        if not begun.heard.rstrip().endswith("."):
            return False
        first = heard.transcript.text.split(maxsplit=1)[:1]
        opens = bool(first) and first[0].strip(string.punctuation).casefold() in self._opening
        begun.joint = ", " if opens else " "
        return goes_on_in_lower_case(heard) or (opens and heard.slot.start - begun.end <= BREATH)


class InContext:
    """A translator of one part of a sentence; see ``AlternativeTranslator``.

    Args:
        model: also translates alone what cannot be said as a continuation.
        begun: the sentence's beginning; empty if this is where it begins.
        goes_on: whether the speaker goes on without a pause.
    """

    def __init__(
        self,
        model: ContinuingTranslator,
        begun: Begun,
        *,
        goes_on: bool = False,
    ) -> None:
        self.begun = begun
        self._model = model
        self._goes_on = goes_on
        self._anew: tuple[str, Sequence[TargetWord]] | None = None
        self._rest: Sequence[TargetWord] | None = None
        self._owed: dict[str, str] = {}

    def owed(self, said: str) -> str:
        """What waits for the next part if ``said`` is spoken now."""
        return self._owed.get(said, "")

    async def translate(self, text: str) -> str:
        """Translate what was added, but for what has to wait."""
        if self._rest is None:
            found = await self._following(text, self.begun.spoken, 1)
            self._rest = found[0].words if found else ()
        if _says_enough(self._rest, text):
            return self._said(self._rest, text)
        return f"{self.begun.owed} {await self._model.translate(text)}".strip()

    async def rewording(self, text: str) -> str | None:
        """How the part before would have been translated, had the rest of the sentence been known.

        Args:
            text: what was added.

        Returns:
            All that is spoken in one go with that part; ``None`` if it is fine as it is, or cannot
            be told from what was added.
        """
        begun = self.begun
        if not begun.last:
            return None
        found = await self._following(text, begun.before, 1)
        if not found:
            return None
        words = found[0].words
        at = boundary(words, len(begun.continued(text)) - len(text))
        last = _spoken(words[:at])
        if not last or not _says_enough(words[at:], text):
            return None
        if last == begun.last:
            self._rest = words[at:]
            return None
        self._anew = last, words[at:]
        return begun.lead + last

    def reworded(self) -> None:
        """Take note that the part before will be spoken as ``rewording`` said."""
        assert self._anew is not None
        self.begun.last, self._rest = self._anew

    async def alternatives(self, text: str, count: int) -> list[Rendering]:
        """Other ways to go on from what was spoken."""
        found = await self._following(text, self.begun.spoken, count)
        enough = [one for one in found if _says_enough(one.words, text)]
        own = {self._said(one.words, text): one.score for one in reversed(enough)}
        return [Rendering(said, own[said]) for said in reversed(own)]

    async def aclose(self) -> None:
        """Free the model."""
        await self._model.aclose()

    def _said(self, words: Sequence[TargetWord], text: str) -> str:
        """What is spoken now; the rest waits."""
        at = len(words)
        if self._goes_on:
            known = [match.start() for match in re.finditer(r"\S+", self.begun.continued(text))]
            at = settled(words, known[-UNSURE] if len(known) > UNSURE else 0) or at
        said = _spoken(words[:at])
        if not self.begun.heard:
            said = f"{self.begun.owed} {said}".strip()
        self._owed[said] = _spoken(words[at:])
        return said

    async def _following(self, text: str, spoken: str, count: int) -> list[Rendering]:
        # Which mark follows depends on how the sentence goes on.
        begun = spoken.rstrip(_MARKS)
        return await self._model.continuations(self.begun.continued(text), begun, count)


def goes_on_in_lower_case(heard: Heard) -> bool:
    """Whether an utterance does not begin a sentence, as it was recognised with the one before."""
    words = heard.transcript.words
    return bool(words) and words[0].text.strip()[:1].islower()


def settled(words: Sequence[TargetWord], unsure: int) -> int:
    """How many of the first words of a translation stand for what comes before ``unsure``.

    Args:
        words: aligned.
        unsure: where in the source begins what may yet be translated otherwise, in characters.
    """
    return next((n for n, word in enumerate(words) if word.source >= unsure), len(words))


def boundary(words: Sequence[TargetWord], added: int) -> int:
    """Where a translation is best cut in two: what comes before ``added``, and what from there on.

    Args:
        words: aligned.
        added: where in the source begins what was added, in characters.

    Returns:
        The number of words before the cut, with the fewest on the wrong side of it; among equals
        the largest.
    """
    wrong = sum(word.source < added for word in words)
    fewest, best = wrong, 0
    for place, word in enumerate(words, 1):
        wrong += 1 if word.source >= added else -1
        if wrong <= fewest:
            fewest, best = wrong, place
    return best


def _spoken(words: Sequence[TargetWord]) -> str:
    """Words without the mark that ends what comes before them."""
    return "".join(word.text for word in words).lstrip(_MARKS)


def _says_enough(rest: Sequence[TargetWord], added: str) -> bool:
    return bool(_spoken(rest)) and len(rest) >= SUBSTANCE * len(added.split())
