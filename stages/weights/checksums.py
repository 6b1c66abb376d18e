"""SHA-256 of weights, cached so that not every start has to compute it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from stages.base import EngineError
from stages.weights.cache import atomic_file, cache_dir


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, from the cache while its size and time are unchanged.

    Raises:
        OSError: if the file cannot be read.
    """
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    remembered = _load()
    if digest := remembered.get(key):
        return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    remembered[key] = digest
    _save(remembered)
    return digest


def _store() -> Path:
    return cache_dir() / "checksums.json"


def _load() -> dict[str, str]:
    try:
        loaded = json.loads(_store().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _save(remembered: dict[str, str]) -> None:
    # Only a cache: where it cannot be written, files are simply hashed again.
    with contextlib.suppress(OSError, EngineError), atomic_file(_store()) as file:
        file.write(json.dumps(remembered, indent=1).encode())
