"""What has been fetched from the Hugging Face hub, and whether it is still whole."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from stages.weights.checksums import sha256


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository in the hub's cache on this machine; ``size`` is bytes."""

    name: str
    path: Path
    size: int


def fetched() -> list[Fetched]:
    """All model repositories in the cache, by name."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        # Its own default is what the constant was when that module was imported.
        found = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return []
    repos = [Fetched(r.repo_id, r.repo_path, r.size_on_disk) for r in found if r.revisions]
    return sorted(repos, key=lambda repo: repo.name)


def damaged(repository: Fetched) -> list[str]:
    """Files of a repository that are not what the hub sent.

    The hub's cache names each file by the checksum that the hub gives it: SHA-256 for weights,
    Git's blob SHA-1 for small files. So this needs no network.
    """
    bad = []
    for link in sorted((repository.path / "snapshots").rglob("*")):
        blob = link.resolve()
        if link.is_dir() or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name):
            continue
        if not blob.is_file() or _digest(blob) != blob.name:
            bad.append(link.name)
    return bad


def _digest(blob: Path) -> str:
    if len(blob.name) == 64:
        return sha256(blob)
    content = blob.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
