"""The report of an evaluation: JSON that can be compared with another's."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from server.evaluation.metrics import METRICS, Unit, pooled
from stream.dub.course import Cause
from stream.errors import UserError
from stream.frames import Fate


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Onset(_Record):
    """When one dub began, and why not sooner."""

    fate: Fate | None
    causes: dict[Cause, float] = Field(description="Of its onset delay, s: they add up to it")


class Run(_Record):
    """One system on the whole set."""

    system: str
    kind: str = Field(description="livedub, sequential or files")
    delay: float | None = Field(description="Playout delay at live pace, s; null offline")
    settings: list[str]
    segments: list[str] = Field(description="Units, clip/index")
    clips: list[str]
    rows: dict[str, list[list[float]]] = Field(
        description="For each metric what each unit, or clip, adds to it"
    )
    hypotheses: list[str] = Field(description="Translation that was heard, by segment")
    tempos: list[float] = Field(description="Of each dub, for the plot")
    onsets: list[Onset] = Field(default=[], description="Of each utterance")

    def values(self) -> dict[str, float | None]:
        """Every metric over the whole set."""
        return {name: self.value(name) for name in METRICS}

    def value(self, name: str, clip: str | None = None) -> float | None:
        """One metric, over the whole set or one clip."""
        pairs = zip(self.units(name), self.rows.get(name, []), strict=False)
        rows = [row for unit, row in pairs if clip in (None, unit.partition("/")[0])]
        return pooled(METRICS[name].pool, rows)

    def units(self, name: str) -> list[str]:
        """What the rows of a metric belong to."""
        return self.clips if METRICS[name].per is Unit.CLIP else self.segments


class Evaluation(_Record):
    """``livedub eval``."""

    made: str = Field(description="When, ISO 8601")
    version: str
    machine: str
    load: float = Field(description="Load average of the machine when it began")
    source: str
    target: str
    media_s: float
    signatures: dict[str, str] = Field(description="sacreBLEU's")
    listener: str | None = Field(description="Model that heard the dubs")
    references: list[str] = Field(description="Reference translations, by segment")
    runs: list[Run]


def read_evaluation(path: Path) -> Evaluation:
    """Read a report.

    Raises:
        UserError: if it is not one.
    """
    try:
        return Evaluation.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{path} is not a report of livedub eval") from None
