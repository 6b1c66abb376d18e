"""Transformers checkpoints converted to CTranslate2 models, once."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from pathlib import Path
from typing import Any

from stages.base import EngineError
from stages.weights.cache import atomic_directory, cache_dir, locked

_LOG = logging.getLogger(__name__)
_TOKENISERS = ("source.spm", "target.spm", "sentencepiece.bpe.model")


def converted(path: Path, name: str) -> Path:
    """The CTranslate2 form of a model, converted into the cache on first use.

    Args:
        path: a folder with ``model.bin``, or a transformers checkpoint.
        name: of the model, for messages.

    Raises:
        EngineError: if it is neither, or the converter is not installed.
    """
    if (path / "model.bin").exists():
        return path
    if not (path / "config.json").exists():
        raise EngineError(
            f"mt.model '{name}' is neither a CTranslate2 model (model.bin) nor a transformers "
            "checkpoint (config.json)."
        )
    target = _place(path)
    with locked(target):
        if not target.exists():
            _convert(path, name, target)
    return target


def can_convert() -> bool:
    """Whether what converts checkpoints is installed."""
    return not _absent()


def is_converted(path: Path) -> bool:
    """Whether a model's folder is in CTranslate2 form, or has been converted."""
    return (path / "model.bin").exists() or _place(path).exists()


def _absent() -> list[str]:
    return [m for m in ("torch", "transformers") if importlib.util.find_spec(m) is None]


def _place(path: Path) -> Path:
    return cache_dir() / "converted" / f"{path.name}-{_fingerprint(path)}-int8"


def _convert(path: Path, name: str, target: Path) -> None:
    if absent := _absent():
        raise EngineError(
            f"mt.model '{name}' must be converted first, which needs {' and '.join(absent)}: "
            "pip install 'livedub[convert]'."
        )
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):  # type: ignore[misc]
        def load_tokenizer(self, *args: Any, **kwargs: Any) -> Any:
            # transformers 5 no longer lists M2M-100's languages where CTranslate2 looks.
            tokeniser = super().load_tokenizer(*args, **kwargs)
            languages: dict[str, int] = getattr(tokeniser, "lang_token_to_id", {})
            if languages and not set(languages) <= set(tokeniser.get_vocab()):
                ordered = sorted(languages, key=languages.__getitem__)
                tokeniser.add_tokens(ordered, special_tokens=True)
            return tokeniser

    _LOG.info("converting %s to CTranslate2, int8; this is done once", name)
    copied = [file for file in _TOKENISERS if (path / file).exists()]
    try:
        with atomic_directory(target) as folder:
            converter = Converter(str(path), copy_files=copied)
            converter.convert(str(folder), quantization="int8", force=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EngineError(f"mt.model '{name}' cannot be converted: {error}.") from error
    _LOG.info("converted %s into %s", name, target)


def _fingerprint(path: Path) -> str:
    """A key that changes with the path, sizes and times of a checkpoint's files."""
    digest = hashlib.sha256(str(path.resolve()).encode())
    for file in sorted(entry for entry in path.iterdir() if entry.is_file()):
        stat = file.stat()
        digest.update(f"{file.name}|{stat.st_size}|{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:12]
