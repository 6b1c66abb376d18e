"""A recogniser of many languages, used for one at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from stages.base import EngineError, MultilingualRecogniser
from stream.frames import Samples, Transcript
from stream.languages import among


class InLanguage:
    """A recogniser of speech in one language; see ``Recogniser``.

    Args:
        recogniser: its owner closes it.
        language: BCP 47 tag, which its transcripts carry.
    """

    def __init__(self, recogniser: MultilingualRecogniser, language: str) -> None:
        self._recogniser, self._language = recogniser, language

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        """Transcribe one utterance."""
        heard = await self._recogniser.recognise_in(audio, self._language, words=words)
        return replace(heard, language=self._language)

    async def aclose(self) -> None:
        """The recogniser stays."""


def detector(
    recogniser: MultilingualRecogniser, languages: Sequence[str]
) -> Callable[[Samples], Awaitable[dict[str, float]]]:
    """What tells how likely speech is in each language.

    Args:
        recogniser: the model.
        languages: BCP 47 tags of those that may occur, by which they are told; if there are none,
            all that it knows, by their codes.

    Raises:
        EngineError: if it does not know one of them.
    """
    codes = {tag: among(tag, recogniser.known) for tag in languages}
    if unknown := [tag for tag, code in codes.items() if code is None]:
        raise EngineError(f"asr.model does not know '{unknown[0]}', which languages.source names.")
    if not recogniser.known:
        raise EngineError("asr.engine cannot tell languages apart: set languages.source to one.")

    async def detect(audio: Samples) -> dict[str, float]:
        likely = await recogniser.languages(audio)
        return {tag: likely.get(code or "", 0.0) for tag, code in codes.items()} or likely

    return detect
