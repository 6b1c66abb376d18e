"""What becomes of recordings: those of a killed process get their names, old ones are deleted."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import re
import time
from pathlib import Path

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska", ".ts": "mpegts"}
"""Container by suffix. All keep what was written if the process dies."""

INTERVAL_S = 600.0
"""Seconds between two looks at the folder."""

DAY_S = 86_400.0

_PART = re.compile(r"\.(?P<stem>.+)\.part(?P<suffix>\.mp4|\.mkv|\.ts)")

_log = logging.getLogger(__name__)


def hold(part: Path) -> contextlib.AbstractContextManager[object]:
    """Mark a recording as one that is being written, for as long as what is returned is open.

    Raises:
        OSError: if it cannot be opened, or somebody else has marked it.
    """
    file = part.open("rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def recover(folder: Path) -> list[Path]:
    """Give recordings that a killed process left unfinished their names; blocks.

    Returns:
        Their new paths. What is still being written is left alone, and nothing is overwritten.
    """
    found = []
    for part in sorted(folder.glob(".*.part.*")):
        match = _PART.fullmatch(part.name)
        if match is None or part.is_symlink():
            continue
        with contextlib.suppress(OSError), hold(part):
            if not part.stat().st_size:
                part.unlink()
                continue
            named = _free(folder, match["stem"], match["suffix"])
            part.rename(named)
            found.append(named)
            _log.info("'%s' was left unfinished by a process that was killed", named.name)
    return found


def _free(folder: Path, stem: str, suffix: str) -> Path:
    named, number = folder / f"{stem}{suffix}", 1
    while named.exists():
        number += 1
        named = folder / f"{stem}-{number}{suffix}"
    return named


def tidy(folder: Path, days: float | None, size: int | None) -> list[Path]:
    """Delete recordings that are too old, and the oldest of those that are too many; blocks.

    Args:
        folder: of the recordings; those that are being written are not touched.
        days: that a recording is kept after it has ended.
        size: bytes of all that are kept.

    Returns:
        Those that were deleted.
    """
    known = []
    for path in folder.glob("*"):
        if path.suffix.lower() in CONTAINERS and not path.name.startswith("."):
            with contextlib.suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    stat = path.stat()
                    known.append((stat.st_mtime, stat.st_size, path))
    gone, held = [], sum(size for _, size, _ in known)
    for ended, length, path in sorted(known):
        old = days is not None and time.time() - ended > days * DAY_S
        if not old and (size is None or held <= size):
            continue
        with contextlib.suppress(OSError):
            path.unlink()
            held -= length
            gone.append(path)
            _log.info("the recording '%s' was deleted: %s", path.name, "old" if old else "no room")
    return gone


async def keep_tidy(folder: Path, days: float | None, size: int | None) -> None:
    """Do so now and then, until cancelled."""
    while days is not None or size is not None:
        await asyncio.to_thread(tidy, folder, days, size)
        await asyncio.sleep(INTERVAL_S)
