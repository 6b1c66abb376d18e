"""Where weights come from: a path, an installed package, or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path

from stages.base import EngineError
from stages.weights.cache import atomic_file, cache_dir, locked
from stages.weights.checksums import sha256
from stages.weights.hub import download, fetched_path, is_hub_reference
from stages.weights.known import KNOWN, PackagedModel

__all__ = ["KNOWN", "Verdict", "Weight", "resolve", "weights"]


WHISPER_SIZES = {
    **{
        size: f"Systran/faster-whisper-{size}"
        for size in (
            "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium",
            "large-v1", "large-v2", "large-v3",
        )
    },
    **{
        f"distil-{size}": f"Systran/faster-distil-whisper-{size}"
        for size in ("small.en", "medium.en", "large-v2", "large-v3")
    },
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}  # fmt: skip
"""Repositories on the hub by the names that faster-whisper gives them."""


def whisper_translates(name: str) -> bool:
    """Whether a Whisper model of that name was trained to translate; others write what was said."""
    return not name.endswith(".en") and not any(kind in name for kind in ("turbo", "distil"))


class Verdict(StrEnum):
    """The outcome of checking a file's checksum."""

    OK = "ok"
    CORRUPTED = "corrupted"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Weight:
    """One file of a known model; ``size`` is bytes, 0 when absent."""

    path: Path | None
    size: int
    verdict: Verdict


def resolve(reference: str) -> Path:
    """The file or folder that a model's name stands for, fetched or assembled if need be.

    Args:
        reference: a name in ``KNOWN``, a path, ``owner/name`` or ``owner/name:file`` on the
            hub. Blocks while it downloads, assembles or hashes.

    Raises:
        EngineError: if there is no such thing, or its checksum is wrong.
    """
    known = KNOWN.get(reference)
    if known is not None:
        return _resolve_known(reference, known)
    path = Path(reference).expanduser()
    if path.exists():
        return path
    reference = on_the_hub(reference)
    if is_hub_reference(reference) and not reference.startswith((".", "~")):
        return download(reference)
    near = get_close_matches(reference, [*KNOWN, *WHISPER_SIZES], 1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise EngineError(
        f"There is no model '{reference}': give a path that exists, a hub id such as "
        f"owner/name, one of {', '.join(KNOWN)}, or a size of Whisper such as small{hint}"
    )


def on_the_hub(name: str) -> str:
    """The hub id of a size of Whisper by faster-whisper's name for it; else the name itself."""
    if name in KNOWN or name not in WHISPER_SIZES:
        return name
    return WHISPER_SIZES[name]


def is_here(reference: str) -> bool:
    """Whether ``resolve`` would need no network; looks at no checksum."""
    known = KNOWN.get(reference)
    if known is not None and _folder(known) is not None:
        return True
    name = (known.hub or "") if known is not None else on_the_hub(reference)
    if known is None and Path(reference).expanduser().exists():
        return True
    return fetched_path(name) is not None


def weights(name: str) -> list[Weight]:
    """The state of a known model's files, each hashed; assembles and downloads nothing."""
    model = KNOWN[name]
    folder = _folder(model)
    if folder is not None and model.parts and not (folder / model.whole).exists():
        return [
            _parts_state(model)
            if file == model.whole
            else _state(_packaged(f"{model.folder}/{file}"), digest)
            for file, digest in model.files.items()
        ]
    return [
        _state(folder / file if folder else None, digest) for file, digest in model.files.items()
    ]


def _resolve_known(name: str, model: PackagedModel) -> Path:
    folder = _folder(model)
    if folder is None:
        if model.hub:
            return download(model.hub)
        raise EngineError(f"The weights '{name}' are not installed: {model.install}.")
    if model.parts:
        _assemble(model, folder)
    for file, digest in model.files.items():
        if _state(folder / file, digest).verdict is not Verdict.OK:
            raise EngineError(
                f"The file {folder / file} of '{name}' is damaged: {model.reinstall}."
            )
    return folder / model.entry if model.entry else folder


def _folder(model: PackagedModel) -> Path | None:
    """Where the model's files are or will be assembled; ``None`` if its packages are missing."""
    if model.parts:
        target = cache_dir() / "models" / model.assembled
        installed = all(_packaged(part) for part in model.parts)
        return (
            target if installed or all((target / file).exists() for file in model.files) else None
        )
    return _packaged(model.folder)


def _packaged(place: str) -> Path | None:
    module, _, inside = place.partition("/")
    spec = importlib.util.find_spec(module)  # does not import a top-level package
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / inside
    return path if path.exists() else None


def _state(path: Path | None, digest: str) -> Weight:
    if path is None or not path.is_file():
        return Weight(path, 0, Verdict.ABSENT)
    right = sha256(path) == digest
    return Weight(path, path.stat().st_size, Verdict.OK if right else Verdict.CORRUPTED)


def _assemble(model: PackagedModel, folder: Path) -> None:
    with locked(folder / model.whole):
        for name, digest in model.files.items():
            target = folder / name
            if _state(target, digest).verdict is Verdict.OK:
                continue
            with atomic_file(target) as file:
                if name == model.whole:
                    found = _join(model, file.write)
                else:
                    found = _copy(model, name, file.write)
                if found != digest:
                    raise EngineError(f"The parts of {name} are damaged: {model.reinstall}.")


def _parts_state(model: PackagedModel) -> Weight:
    parts = [path for part in model.parts if (path := _packaged(part))]
    size = sum(path.stat().st_size for path in parts)
    right = _join(model, lambda block: None) == model.files[model.whole]
    return Weight(parts[0], size, Verdict.OK if right else Verdict.CORRUPTED)


def _join(model: PackagedModel, write: Callable[[bytes], object]) -> str:
    """Pass the parts in order to ``write``; the SHA-256 of them all."""
    digest = hashlib.sha256()
    for part in model.parts:
        path = _packaged(part)
        if path is None:
            raise EngineError(f"A part of {model.whole} is missing: {model.install}.")
        block = path.read_bytes()
        digest.update(block)
        write(block)
    return digest.hexdigest()


def _copy(model: PackagedModel, name: str, write: Callable[[bytes], object]) -> str:
    """Pass a file that comes whole to ``write``; its SHA-256."""
    path = _packaged(f"{model.folder}/{name}")
    if path is None:
        raise EngineError(f"The file {name} is missing: {model.install}.")
    block = path.read_bytes()
    write(block)
    return hashlib.sha256(block).hexdigest()
