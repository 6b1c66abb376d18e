"""Temporary folders that do not outlive their process for long, however it ends.

Each holds a locked file. Where the lock can be taken, whoever made the folder is gone, and the
next process removes what it has left: HLS of what was said, and clips of who said it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

LOCK = ".held"


class TemporaryFolder:
    """A folder for this process alone.

    Args:
        prefix: of its name.

    Raises:
        OSError: if there is no place for it.
    """

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._lock = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Delete it with all that is in it; may be called again."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def remove_leftovers(prefix: str) -> list[Path]:
    """Delete the folders of processes that are gone; returns those that were.

    Folders of others, and those without a lock, are left alone.
    """
    removed = []
    for held in Path(tempfile.gettempdir()).glob(f"{prefix}*/{LOCK}"):
        with contextlib.suppress(OSError):
            if held.parent.is_symlink() or held.parent.stat().st_uid != os.getuid():
                continue
            lock = os.open(held, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(held.parent)
                removed.append(held.parent)
            finally:
                os.close(lock)
    return removed
