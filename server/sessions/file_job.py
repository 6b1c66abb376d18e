"""What is wanted of one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.media.sink import STANDARD_OUTPUT


@dataclass(frozen=True, slots=True)
class FileJob:
    """What is dubbed, and what is wanted of it.

    Attributes:
        input: any media.
        output: its suffix chooses the container.
        realtime: pace the source at 1x, as if live.
        resume: go on with what an earlier run left.
        subtitles: folder for subtitles in both languages.
        report: JSON with figures for every utterance.
        plot: picture of source and dub on one time axis.
        stems: folder for the dub's voice and the bed, each alone.
        subtitles_in: subtitles that take the place of recognition.
        subtitles_lang: their language, if not in their name.
        pull: arguments of ``livedub models pull`` that fetch what is missing.
        preset: whether a preset names the models, which then must be here already.
    """

    input: Path
    output: Path
    realtime: bool = False
    resume: bool = False
    subtitles: Path | None = None
    report: Path | None = None
    plot: Path | None = None
    stems: Path | None = None
    subtitles_in: Path | None = None
    subtitles_lang: str | None = None
    pull: str = ""
    preset: bool = False

    @property
    def keeps_journal(self) -> bool:
        """Whether it can be gone on with."""
        return not self.realtime and self.output != STANDARD_OUTPUT
