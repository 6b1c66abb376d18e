"""Names of files as FFmpeg is to take them."""

from __future__ import annotations

from pathlib import Path


def address(path: Path) -> str:
    """What FFmpeg opens as this very file: a colon in a name would make a protocol of it."""
    return f"file:{path}"
