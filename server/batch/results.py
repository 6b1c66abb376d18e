"""What became of each file of a batch, in ``batch.json`` beside the dubs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from server.config import DAEMON_SECTIONS, Config
from stream.errors import UserError

NAME = "batch.json"

CALM = 50
"""This many times as long passes before the file is written again as it took to write."""

State = Literal["waiting", "dubbing", "finished", "failed"]

_ELSEWHERE = {*DAEMON_SECTIONS, "cluster"}
"""Sections that change no dub."""


class FileResult(BaseModel):
    """What became of one file.

    Attributes:
        input: absolute path.
        output: path below the folder of the dubs.
        state: ``finished`` is with its dub.
        error: why it failed.
        settings: stands for the file and for all that its dub depends on.
        wall_s: seconds that it took.
        summary: as in the report, see ``docs/use/report.md``.
        notes: likewise.
    """

    input: str
    output: str
    state: State = "waiting"
    error: str | None = None
    settings: str = ""
    wall_s: float = 0.0
    summary: dict[str, Any] | None = None
    notes: list[str] = []


class Results:
    """The results of a folder of dubs, those of earlier runs included.

    Args:
        folder: exists.

    Raises:
        UserError: if what is there is none of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self._files: dict[str, FileResult] = {}
        self._stale, self._took = asyncio.Event(), 0.0
        if self.path.exists():
            try:
                read = json.loads(self.path.read_text("utf-8"))
                known = [FileResult.model_validate(one) for one in read["files"]]
            except (OSError, ValueError, KeyError, TypeError, ValidationError):
                raise UserError(
                    f"{self.path} holds no results of livedub batch: move it away, or name "
                    "another folder for --out"
                ) from None
            self._files = {one.input: one for one in known}

    @property
    def outputs(self) -> dict[Path, Path]:
        """What the dub of each input is called."""
        return {Path(one.input): Path(one.output) for one in self._files.values()}

    def of(self, path: Path) -> FileResult | None:
        """Of an input, as far as anything is known."""
        return self._files.get(str(path))

    def begin(self, files: Iterable[FileResult]) -> None:
        """These are about to be dubbed, and come first."""
        begun = {one.input: one for one in files}
        self._files = begun | {key: one for key, one in self._files.items() if key not in begun}
        self.write()

    def changed(self) -> None:
        """There is something to write."""
        self._stale.set()

    async def keep(self) -> None:
        """Write whenever something has changed, until cancelled."""
        while True:
            await self._stale.wait()
            self.write()
            await asyncio.sleep(CALM * self._took)

    def write(self) -> None:
        """Write the file; whoever reads it meanwhile reads the old one or the new one."""
        began = time.monotonic()
        self._stale.clear()
        written = {"version": 1, "files": [one.model_dump() for one in self._files.values()]}
        part = self.path.with_name(f".{NAME}.part")
        part.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")
        os.replace(part, self.path)
        self._took = time.monotonic() - began


def fingerprint(path: Path, config: Config, **wanted: object) -> str:
    """Stands for a file, as it is now, and for how it is dubbed.

    Args:
        path: of the file.
        config: checked.
        wanted: beside the dub.
    """
    stat = path.stat()
    settings = config.model_dump(mode="json", exclude=_ELSEWHERE)
    for section in settings.values():
        section.pop("threads", None)
    parts = (stat.st_size, stat.st_mtime_ns, settings, sorted(wanted.items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
