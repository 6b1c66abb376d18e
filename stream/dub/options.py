"""The viewer's side of a dub: how far behind the source, and how loud each voice is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import annotated_types as at

from stream.sound.mix import MixOptions

USUAL_DELAY_S = 6.0


@dataclass(frozen=True, slots=True)
class PlayoutOptions(MixOptions):
    """Delay and levels.

    Attributes:
        delay: seconds that the viewer is behind the source, at live pace; ``auto``: as few as the
            engines need here.
        max_late: seconds after its time at which a dub is dropped, at live pace.
    """

    __pydantic_config__ = {"extra": "forbid"}

    delay: Annotated[float, at.Ge(1), at.Le(60)] | Literal["auto"] = USUAL_DELAY_S
    max_late: Annotated[float, at.Ge(0), at.Le(30)] = 1.5

    @property
    def behind(self) -> float:
        """The delay in seconds; the usual one as long as nobody knows what the engines need."""
        return USUAL_DELAY_S if self.delay == "auto" else self.delay
