"""How many files this machine dubs at once, and how many threads each gets."""

from __future__ import annotations

import os
from pathlib import Path

from server.config import Config
from server.engines.cores import usable_cores
from server.engines.settled import KINDS
from stages.gpu import has_cuda

FILE_BYTES = 2 << 30
"""Memory that a file takes, its models included."""

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def files_at_once() -> int:
    """As many as there are cores, if there is memory for them; one where models run on a GPU."""
    if has_cuda():  # two processes slow each other down more than they share
        return 1
    return max(1, min(usable_cores(), _memory() // FILE_BYTES))


def sharing(config: Config, files: int) -> Config:
    """The configuration with threads for so many files at once: more would wait for each other."""
    each = max(1, usable_cores() // files)
    sections = {kind: getattr(config, kind) for kind in KINDS}
    fewer = {
        kind: section.model_copy(update={"threads": min(section.threads, each)})
        for kind, section in sections.items()
    }
    return config.model_copy(update=fewer)


def _memory() -> int:
    """Bytes that this process and its children may use."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in _LIMITS:
        try:
            whole = min(whole, int(limit.read_text()))
        except (OSError, ValueError):  # there is none, or it is "max"
            continue
    return whole
