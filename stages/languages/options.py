"""Which languages are spoken and made, as ``config.yaml`` has it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator

from stages.options import STRICT
from stream.languages import language_tag

ANY = "auto"
"""Stands for whatever is spoken."""

SEVERAL = "mul"
"""ISO 639-2 code of what is in several languages."""

Language = Annotated[str, AfterValidator(language_tag)]
"""A language by code or name, as it becomes a BCP 47 tag."""


def _spoken(value: object) -> object:
    """One language, ``auto``, or a tuple of those that occur."""
    if isinstance(value, str) and "," not in value:
        return ANY if value.strip().lower() == ANY else language_tag(value)
    given = value.split(",") if isinstance(value, str) else value
    if not (isinstance(given, list | tuple) and all(isinstance(one, str) for one in given)):
        raise ValueError("write a language, auto, or a list of those that occur, such as [en, es]")
    tags = tuple(dict.fromkeys(language_tag(one) for one in given))
    if not tags:
        raise ValueError("the list of languages is empty; write auto for any")
    return tags if len(tags) > 1 else tags[0]


class Languages(BaseModel):
    """What is spoken and what it becomes."""

    model_config = STRICT
    source: Annotated[str | tuple[str, ...], BeforeValidator(_spoken)] = "en"
    target: Language = "pt"

    @property
    def several(self) -> tuple[str, ...] | None:
        """Languages that may be spoken, none where any may; ``None`` where it is one."""
        if isinstance(self.source, str):
            return () if self.source == ANY else None
        return self.source

    @property
    def one(self) -> str | None:
        """The language spoken; ``None`` where there are several."""
        return self.source if self.several is None and isinstance(self.source, str) else None

    @property
    def written(self) -> str:
        """The languages spoken, for people."""
        return self.source if isinstance(self.source, str) else ",".join(self.source)
