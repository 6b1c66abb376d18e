"""Licences that must be accepted before livedub fetches or uses the weights."""

from __future__ import annotations

import fnmatch
import json
import os
from dataclasses import dataclass
from pathlib import Path

from stages.base import EngineError
from stages.weights.cache import atomic_file, cache_dir

VARIABLE = "LIVEDUB_ACCEPT_LICENCE"
"""Names of licences, comma-separated, or ``all``: for unattended machines."""


@dataclass(frozen=True, slots=True)
class Licence:
    """Terms of some weights.

    Attributes:
        name: short, as it is accepted by.
        title: in full.
        terms: the one that matters most, as a clause.
        url: the whole text.
    """

    name: str
    title: str
    terms: str
    url: str


CPML = Licence(
    "CPML",
    "Coqui Public Model License 1.0.0",
    "the model and what it says may be used for no commercial purpose",
    "https://coqui.ai/cpml",
)
CC_BY_NC = Licence(
    "CC-BY-NC-4.0",
    "Creative Commons Attribution-NonCommercial 4.0",
    "the model may be used for no commercial purpose",
    "https://creativecommons.org/licenses/by-nc/4.0/",
)
_LICENSED = {"coqui/xtts*": CPML, "*/xtts-v2*": CPML, "*/nllb-*": CC_BY_NC, "*/*-nllb-*": CC_BY_NC}


def licence_of(reference: str) -> Licence | None:
    """What must be accepted for weights on the hub, by their id; ``None`` for nothing."""
    name = reference.lower().split(":")[0].split("@")[0]
    return next((lic for glob, lic in _LICENSED.items() if fnmatch.fnmatch(name, glob)), None)


def accept(licence: Licence) -> None:
    """Remember that a licence was accepted.

    Raises:
        EngineError: if the cache folder cannot be written.
    """
    names = sorted({*_accepted(), licence.name})
    with atomic_file(_store()) as file:
        file.write(json.dumps(names).encode())


def is_accepted(licence: Licence) -> bool:
    """Whether it was accepted here once, or by ``LIVEDUB_ACCEPT_LICENCE``."""
    granted = {name.strip().lower() for name in os.environ.get(VARIABLE, "").split(",")}
    return bool(granted & {"all", licence.name.lower()}) or licence.name in _accepted()


def require(reference: str) -> None:
    """Refuse weights whose licence nobody has accepted.

    Raises:
        EngineError: with the licence, its terms, and how to accept it.
    """
    licence = licence_of(reference)
    if licence is None or is_accepted(licence):
        return
    raise EngineError(
        f"The weights '{reference}' are under the {licence.title} ({licence.url}): "
        f"{licence.terms}. To accept it, run 'livedub models pull {reference} --accept-licence' "
        f"once, or set {VARIABLE}={licence.name}."
    )


def _store() -> Path:
    return cache_dir() / "licences.json"


def _accepted() -> list[str]:
    try:
        names = json.loads(_store().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return names if isinstance(names, list) else []
