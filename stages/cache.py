"""The folder for what livedub makes itself, written so that no reader sees half a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from filelock import FileLock

from stages.base import EngineError


def cache_dir() -> Path:
    """``LIVEDUB_CACHE`` if set, else the platform's cache folder; it may not exist yet."""
    if chosen := os.environ.get("LIVEDUB_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "livedub"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from making ``path`` at the same time.

    Raises:
        EngineError: if the folder cannot be written.
    """
    with _writable(path.parent), FileLock(f"{path}.lock"):
        yield


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that becomes ``path`` when the block ends well and vanishes otherwise."""
    with _writable(path.parent):
        handle = tempfile.NamedTemporaryFile(  # noqa: SIM115 (closed before it is renamed)
            dir=path.parent, prefix=f".{path.name}.", delete=False
        )
    try:
        with handle:
            yield handle.file
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(handle.name, path)
    except BaseException:
        Path(handle.name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A folder to fill that becomes ``path`` when the block ends well and vanishes otherwise."""
    with _writable(path.parent):
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield made
        if path.exists():
            shutil.rmtree(path)
        made.rename(path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError
    except OSError as error:
        raise EngineError(
            f"The cache folder {folder} cannot be written; set LIVEDUB_CACHE to a folder that can."
        ) from error
    yield
