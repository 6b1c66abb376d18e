"""How a system dubbed one clip: livedub, the baseline, or any other."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from server.evaluation.report import Report
from stream.dub.course import Cause
from stream.frames import Fate


class Spoken(BaseModel):
    """One utterance as the system cut it; media times in seconds."""

    model_config = ConfigDict(extra="forbid")

    slot: tuple[float, float] = Field(description="When it is said in the source")
    text: str = Field(default="", description="Transcript")
    speaker: str = Field(default="", description="Label of who says it")
    translation: str = Field(default="", description="What was to be spoken")
    dub: tuple[float, float] | None = Field(default=None, description="When it is heard in the dub")
    fate: Fate | None = None
    speed: float | None = Field(default=None, description="Engine rate times tempo, 1 is natural")
    tempo: float | None = None
    ready: float | None = Field(
        default=None, description="From slot start to first dub sample, wall s"
    )
    causes: dict[Cause, float] = Field(
        default={}, description="Of the dub's onset delay, s: they add up to it"
    )


class Performance(BaseModel):
    """A dubbed clip; written as JSON beside it, so that other systems can be scored too."""

    model_config = ConfigDict(extra="forbid")

    utterances: list[Spoken]
    delay: float | None = Field(
        default=None, description="Playout delay at live pace, s; null offline"
    )
    media_s: float | None = None
    cpu_s: float | None = Field(default=None, description="Processor seconds, loading left out")
    wall_s: float | None = None
    peak_rss_mb: float | None = None


def of_report(report: Report) -> Performance:
    """A run of livedub, from its report."""
    summary = report.summary
    return Performance(
        utterances=[
            Spoken(
                slot=u.slot,
                text=u.text,
                speaker=u.speaker,
                translation=u.translation,
                dub=u.dub,
                fate=u.fate,
                speed=None if u.tempo is None else u.tempo * u.engine_rate,
                tempo=u.tempo,
                ready=u.first_dub_latency,
                causes=u.onset_causes,
            )
            for u in report.utterances
        ],
        delay=summary.delay_s if summary.live else None,
        media_s=summary.media_s,
        cpu_s=summary.cpu_s_per_media_s * summary.media_s,
        wall_s=summary.wall_s,
        peak_rss_mb=summary.peak_rss_mb,
    )


def read_performance(path: Path) -> Performance:
    """Read what `livedub file --report`, the baseline or another system wrote.

    Raises:
        ValueError: if it is neither.
    """
    text = path.read_text("utf-8")
    try:
        return Performance.model_validate_json(text)
    except ValueError:
        return of_report(Report.model_validate_json(text))
