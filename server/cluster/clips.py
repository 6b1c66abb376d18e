"""Recordings of voices to clone, which travel once: known by what is in them, wherever they are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.cluster.records import Clips
from stages.speakers import voice_store
from stages.speakers.voice_collection import PREFIX
from stages.temporary import TemporaryFolder

KEPT = 64
"""Voices whose recordings are at hand; each is a megabyte or so."""


def recordings(name: str) -> tuple[Path, ...]:
    """The files that a voice stands for; none if it is not a stored voice or made of files."""
    if voice_store.is_stored(name):
        return voice_store.load(name).clips
    found: list[Path] = []
    for part in filter(None, (part.strip() for part in name.split(","))):
        path = Path(part).expanduser()
        if path.is_dir():
            found += sorted(
                one for one in path.iterdir() if one.is_file() and one.suffix != ".json"
            )
        elif path.is_file():
            found.append(path)
        else:
            return ()
    return tuple(found)


class Recordings:
    """Recordings that were read here."""

    def __init__(self) -> None:
        self._read: dict[tuple[tuple[str, int, int], ...], Clips] = {}

    def of(self, name: str) -> Clips | None:
        """The recordings of a voice; ``None`` if it has none. Blocks while they are read."""
        paths = recordings(name)
        if not paths:
            return None
        stats = [(path, path.stat()) for path in paths]
        key = tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)
        if key not in self._read:
            while len(self._read) >= KEPT:
                del self._read[next(iter(self._read))]
            files = {f"{n}{path.suffix}": path.read_bytes() for n, path in enumerate(paths)}
            self._read[key] = Clips(_digest(files), files)
        return self._read[key]


class Received:
    """Recordings that came from elsewhere, as files for engines that read such."""

    def __init__(self) -> None:
        self._folders: dict[str, TemporaryFolder] = {}

    async def folder(self, clips: Clips) -> str:
        """Where the recordings are; they are fetched if they were not here yet."""
        if clips.digest not in self._folders:
            files = clips.files
            if not isinstance(files, Mapping):
                files = await files
            await asyncio.to_thread(self._keep, clips.digest, files)
        return str(self._folders[clips.digest].path)

    def _keep(self, digest: str, files: Mapping[str, Any]) -> None:
        if digest in self._folders:
            return  # somebody else was as fast
        while len(self._folders) >= KEPT:
            self._folders.pop(next(iter(self._folders))).close()
        # By its name engines know that nothing made of it may stay on disk.
        folder = TemporaryFolder(PREFIX)
        for name, content in files.items():
            (folder.path / name).write_bytes(content)
        self._folders[digest] = folder


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for content in files.values():
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()[:32]
