"""The systems under test, and one clip run through one of them in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from server.config import load
from server.evaluation.manifest import Clip
from stream.errors import UserError


@dataclass(frozen=True, slots=True)
class System:
    """One thing that dubs.

    Attributes:
        name: in the report; unique, and a folder's name.
        kind: livedub itself, the plain sequence of the same models, or finished files.
        config: a configuration file, or ``None`` for the defaults.
        settings: ``section.key=value``, each over the file.
        delay: seconds at live pace, or ``None`` offline.
        folder: where the finished files are, for ``files``.
    """

    name: str
    kind: Literal["livedub", "sequential", "files"] = "livedub"
    config: Path | None = None
    settings: tuple[str, ...] = ()
    delay: float | None = None
    folder: Path | None = None

    def produced(self, clip: Clip, out: Path) -> tuple[Path, Path]:
        """The dubbed file and the JSON beside it.

        Raises:
            UserError: if finished files lack this clip.
        """
        if self.kind != "files":
            suffix = ".wav" if self.kind == "sequential" else _suffix(clip.media)
            dubbed = out / "media" / self.name / f"{clip.name}{suffix}"
            return dubbed, dubbed.with_suffix(".json")
        assert self.folder is not None
        found = [p for p in self.folder.glob(f"{clip.name}.*") if p.suffix != ".json"]
        if len(found) != 1:
            raise UserError(f"{self.folder} should hold one media file named {clip.name}")
        return found[0], found[0].with_suffix(".json")

    def run(self, clip: Clip, out: Path, *, stems: bool = False) -> tuple[Path, Path]:
        """Dub one clip.

        Args:
            clip: of the test set.
            out: the report's folder.
            stems: whether livedub also writes voice and bed apart.

        Raises:
            UserError: if the run failed, with its last line.
        """
        dubbed, record = self.produced(clip, out)
        if self.kind == "files":
            return dubbed, record
        dubbed.parent.mkdir(parents=True, exist_ok=True)
        common = [str(clip.media), str(dubbed), "--report", str(record)]
        if self.config is not None:
            common += ["--config", str(self.config)]
        for setting in self.settings:
            common += ["--set", setting]
        if self.kind == "sequential":
            command = ["-m", "server.evaluation.sequential", *common]
        else:
            command = ["-m", "server.cli", "file", *common]
            if stems:
                command += ["--stems", str(dubbed.parent)]
            if self.delay is not None:
                command += ["--realtime", "--delay", str(self.delay)]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no word of why"]
            raise UserError(f"{self.name} failed on {clip.name}: {lines[-1]}")
        return dubbed, record


def systems_of(options: argparse.Namespace) -> list[System]:
    """The systems that a command line names.

    Raises:
        UserError: if two have one name, or a name or folder cannot be used.
        ConfigError: if a configuration is wrong.
    """
    named: list[tuple[str, Path | None]] = []
    alone = [] if options.dubs else ["default"]
    for text in options.config or alone:
        name, _, file = text.partition("=")
        named.append((name, Path(file) if file else None))
    names = [name for name, _ in named]
    settings: dict[str, list[str]] = {name: [] for name in names}
    for text in options.set:
        name, colon, rest = text.partition(":")
        chosen = [name] if colon and name in names else names
        for each in chosen:
            settings[each].append(rest if colon and name in names else text)
    delays = options.delays or ([options.delay or 6.0] if options.realtime else [None])
    systems = [
        System(
            name if len(delays) == 1 else f"{name}@{delay:g}s",
            config=file,
            settings=tuple(settings[name]),
            delay=delay,
        )
        for name, file in named
        for delay in delays
    ]
    if options.sequential:
        first, file = named[0] if named else ("", None)
        systems.append(
            System(
                "sequential", "sequential", file, settings=tuple(settings.get(first, options.set))
            )
        )
    for text in options.dubs:
        name, _, folder = text.partition("=")
        if not folder or not Path(folder).is_dir():
            raise UserError(f"--dubs takes NAME=FOLDER, not '{text}'")
        systems.append(System(name, "files", folder=Path(folder)))
    for system in systems:
        if not system.name or set(system.name) & set('/\\"<>&'):
            raise UserError(f"'{system.name}' cannot be the name of a system")
        load(system.config, assignments=system.settings)
    if len({system.name for system in systems}) < len(systems):
        raise UserError("two systems have the same name")
    return systems


def _suffix(media: Path) -> str:
    """Containers that hold any codec keep the picture's packets as they are."""
    return media.suffix if media.suffix in (".mp4", ".mov", ".mkv") else ".mkv"
