"""Folders for what livedub makes itself, written so that no reader sees half a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from filelock import FileLock

from stages.base import EngineError

# By platform: the variable that names the folder, and where it is if that is not set.
_CACHES = {
    "win32": ("LOCALAPPDATA", "~/AppData/Local"),
    "darwin": ("", "~/Library/Caches"),
    "linux": ("XDG_CACHE_HOME", "~/.cache"),
}
_DATA = {
    "win32": ("APPDATA", "~/AppData/Roaming"),
    "darwin": ("", "~/Library/Application Support"),
    "linux": ("XDG_DATA_HOME", "~/.local/share"),
}


def cache_dir() -> Path:
    """``LIVEDUB_CACHE`` if set, else the platform's cache folder; it may not exist yet."""
    return Path(os.environ.get("LIVEDUB_CACHE") or _platform_folder(_CACHES)).expanduser()


def data_dir() -> Path:
    """The platform's folder for a user's data; it may not exist yet."""
    return Path(_platform_folder(_DATA)).expanduser()


def _platform_folder(kind: Mapping[str, tuple[str, str]]) -> str:
    variable, base = kind.get(sys.platform, kind["linux"])
    return f"{os.environ.get(variable) or base}/livedub"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock ``path`` against other processes that would make it at the same time.

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
