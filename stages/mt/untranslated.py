"""No translation: a dub in the language that was spoken."""

from __future__ import annotations

from stages.base import EngineError
from stream.languages import same_language


class Untranslated:
    """A translator that returns what it is given.

    Args:
        model: nothing but ``default``.
        source: ISO 639-1 code of the speech.
        target: the same language.
        threads: unused.
        beam_size: unused.

    Raises:
        EngineError: if the languages differ.
    """

    def __init__(
        self,
        model: str = "default",
        source: str = "en",
        target: str = "en",
        threads: int = 1,
        beam_size: int = 1,
    ) -> None:
        if not same_language(source, target):
            raise EngineError(
                f"mt.engine 'none' cannot turn '{source}' into '{target}'; choose another engine."
            )

    async def translate(self, text: str) -> str:
        """``text`` itself."""
        return text

    async def aclose(self) -> None:
        """Nothing to free."""
