"""The subtitles of a file's dub, written while it is made: WebVTT and SubRip, both languages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from stream.dub.job import DubJob
from stream.media import srt, webvtt
from stream.media.webvtt import Cue

SUFFIXES = ("vtt", "srt")

EVERY_S = 5.0
"""Wall seconds after which the files are written again."""


class SubtitleFiles:
    """Files ``STEM.LANGUAGE.vtt`` and ``.srt`` in a folder, complete and valid at any moment.

    Args:
        folder: made if need be.
        stem: of the names.
        source: language spoken, ISO 639-1.
        target: language of the dub; no files of its own where it is the same.
    """

    def __init__(self, folder: Path, stem: str, source: str, target: str) -> None:
        self._folder = folder
        self._stem = stem
        self._source = source
        self._target = target
        self._writing: asyncio.Future[None] | None = None

    async def follow(self, jobs: Callable[[], Sequence[DubJob]]) -> None:
        """Write what there is again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            done = list(jobs())
            self._writing = asyncio.ensure_future(asyncio.to_thread(self.write, done))
            with contextlib.suppress(OSError):  # the last time will tell
                await asyncio.shield(self._writing)

    async def finish(self, jobs: Sequence[DubJob]) -> None:
        """Write them once more, after whatever `follow` is still writing.

        Raises:
            OSError: if they cannot be written.
        """
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await asyncio.to_thread(self.write, jobs)

    @property
    def paths(self) -> list[Path]:
        """Of all that may be written."""
        languages = dict.fromkeys((self._source, self._target))
        return [self._path(language, suffix) for language in languages for suffix in SUFFIXES]

    def write(self, jobs: Sequence[DubJob]) -> None:
        """Write the files as they are now.

        Raises:
            OSError: if they cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        spoken = [job for job in jobs if job.text.strip()]
        self._write(self._source, [Cue(job.slot, job.text) for job in spoken])
        if self._target != self._source:
            # Where there is no translation the viewer still gets the words.
            dubbed = [Cue(job.slot, job.translation or job.text) for job in spoken]
            self._write(self._target, dubbed)

    def _write(self, language: str, cues: list[Cue]) -> None:
        texts = (webvtt.render(cues), srt.render(cues))
        for suffix, text in zip(SUFFIXES, texts, strict=True):
            path = self._path(language, suffix)
            part = path.with_name(f".{path.name}.part")
            part.write_text(text, encoding="utf-8", newline="\n")
            part.replace(path)

    def _path(self, language: str, suffix: str) -> Path:
        return self._folder / f"{self._stem}.{language}.{suffix}"
