"""Which of the sounds that a source holds is to be dubbed, as the configuration has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import annotated_types as at

AUTO: Final = "auto"

Channel = Annotated[int, at.Ge(0), at.Le(63)]


@dataclass(frozen=True, slots=True)
class InputOptions:
    """What is dubbed of what the source holds.

    Attributes:
        track: audio track, by its number counted from 0, its language, words of its title, or its
            disposition, such as ``original``; ``auto`` for the one that is tagged with the
            language spoken, commentaries and descriptions last.
        channel: the one channel of that track to be dubbed, counted from 0, also as ``left`` and
            ``right``; ``mix`` for all of them; ``auto`` for the ones that carry speech.
    """

    __pydantic_config__ = {"extra": "forbid"}

    track: int | str = AUTO
    channel: Channel | Literal["auto", "mix", "left", "right"] = AUTO

    @property
    def only(self) -> int | None:
        """The one channel asked for, ``None`` where several may be heard."""
        match self.channel:
            case int(number):
                return number
            case "left":
                return 0
            case "right":
                return 1
        return None


ANY = InputOptions()
"""Whatever suggests itself."""
