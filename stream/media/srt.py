"""Subtitles as SubRip (.srt), which more players and editors read than WebVTT."""

from __future__ import annotations

from collections.abc import Iterable

from stream.media.webvtt import Cue, arrange, timestamp


def render(cues: Iterable[Cue]) -> str:
    """A whole SubRip file, its cues arranged for reading as those of WebVTT."""
    blocks = []
    for number, cue in enumerate(arrange(cues), 1):
        start, end = (timestamp(time).replace(".", ",") for time in (cue.time.start, cue.time.end))
        blocks.append(f"{number}\n{start} --> {end}\n{cue.text}\n")
    return "\n".join(blocks)
