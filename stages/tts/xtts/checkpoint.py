"""An XTTS checkpoint from disk: the original or a fine-tuned one, checked before it is used."""

from __future__ import annotations

import importlib.util
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.base import EngineError
from stages.tts.xtts.options import Precision
from stages.tts.xtts.text import LIMITS
from stages.weights.checksums import sha256
from stages.weights.resolve import resolve
from stream.languages import base

DEFAULT = "coqui/XTTS-v2"

_BESIDE = ("dvae.pth", "mel_stats.pth", "speakers_xtts.pth")
"""Files of a checkpoint's folder that are no model."""
_ROMANISERS = {"zh": ("pypinyin", "coqui-tts[zh]"), "ja": ("cutlet", "coqui-tts[ja]")}
"""Languages that coqui-tts writes in Latin letters first, with a package that it needs for nothing
else."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model.

    Attributes:
        model: ``TTS.tts.models.xtts.Xtts``, ready for inference.
        device: ``cpu`` or ``cuda``.
        dtype: of the language model, a ``torch.dtype``.
        fingerprint: SHA-256 of the weights.
        speakers: voices that come with it, by name: ``gpt_cond_latent`` and
            ``speaker_embedding``.
    """

    model: Any
    device: str
    dtype: Any
    fingerprint: str
    speakers: dict[str, dict[str, Any]]


def load_checkpoint(name: str, language: str, precision: Precision) -> Checkpoint:
    """Load a model and put it on the GPU if there is one.

    Args:
        name: folder, ``.pth`` file in one, or hub id.
        language: to be spoken.
        precision: of the language model.

    Raises:
        EngineError: if files are missing, are no XTTS checkpoint, or cannot speak so.
    """
    own = base(language)
    if own not in LIMITS:
        raise EngineError(
            f"tts.engine 'xtts' does not speak '{language}', only {', '.join(sorted(LIMITS))}."
        )
    if own in _ROMANISERS and importlib.util.find_spec(_ROMANISERS[own][0]) is None:
        raise EngineError(
            f"XTTS needs {_ROMANISERS[own][0]} to read '{language}': "
            f"pip install '{_ROMANISERS[own][1]}'."
        )
    torch = _torch()
    quiet()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision != "float32" and device == "cpu":
        raise EngineError(
            f"xtts.compute_type '{precision}' needs a CUDA GPU and there is none: use float32."
        )
    weights, folder = _files(name)
    model = _loaded(weights, folder, name)
    if own not in {base(known) for known in model.config.languages}:
        known = ", ".join(model.config.languages)
        raise EngineError(f"The XTTS model '{name}' does not speak '{language}', only {known}.")
    dtype = getattr(torch, precision)
    try:
        _prepare(model, device, dtype)
    except torch.OutOfMemoryError as error:
        raise EngineError(
            f"The GPU has no room for the XTTS model '{name}': {_first_line(error)}"
        ) from error
    manager = model.speaker_manager
    speakers = dict(manager.speakers) if manager is not None else {}
    return Checkpoint(model, device, dtype, sha256(weights), speakers)


def quiet() -> None:
    """Keep transformers from warning, at every start, of how coqui-tts describes its models.

    They have no tokens for the beginning and end of a text, and leave those of GPT-2 in place.
    """
    logging.getLogger("transformers.configuration_utils").setLevel(logging.ERROR)


def _torch() -> Any:
    try:
        import torch
        import TTS.tts.models.xtts  # noqa: F401 (found broken here, not in the middle)
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(
            "XTTS cannot start, its packages do not fit together "
            f"({_first_line(error)}): pip install 'livedub[xtts]', and see docs/use/cloning.md."
        ) from error
    return torch


def _files(name: str) -> tuple[Path, Path]:
    """The weights and the folder of everything else."""
    path = resolve(DEFAULT if name == "default" else name)
    folder = path.parent if path.is_file() else path
    weights = path if path.is_file() else _weights(folder, name)
    for file, what in (("config.json", "configuration"), ("vocab.json", "vocabulary")):
        if not (folder / file).is_file():
            raise EngineError(f"The XTTS model '{name}' lacks its {what}: {folder / file}.")
    return weights, folder


def _weights(folder: Path, name: str) -> Path:
    if (folder / "model.pth").is_file():
        return folder / "model.pth"
    found = sorted(path for path in folder.glob("*.pth") if path.name not in _BESIDE)
    best = [path for path in found if path.name.startswith("best_model")]
    if best:
        return max(best, key=lambda path: path.stat().st_mtime)
    if len(found) == 1:
        return found[0]
    there = f"several: {', '.join(p.name for p in found)}; name one" if found else "none"
    raise EngineError(f"The XTTS model '{name}' needs a model.pth in {folder}, which has {there}.")


def _loaded(weights: Path, folder: Path, name: str) -> Any:
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models import xtts

    class Model(xtts.Xtts):  # type: ignore[misc]
        def _load_checkpoint(self, path: Path) -> Any:
            # The original rewrites some checkpoints, which breaks their checksum.
            with xtts._legacy_safe_globals():
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["model"]

    try:
        described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if described.get("model") != "xtts":
            raise EngineError(
                f"'{name}' is no XTTS model: its config.json is of '{described.get('model')}'."
            )
        config = XttsConfig()
        config.load_json(str(folder / "config.json"))
        model = Model(config)
        model.load_checkpoint(
            config,
            checkpoint_dir=folder,
            checkpoint_path=weights,
            vocab_path=folder / "vocab.json",
            speaker_file_path=folder / "speakers_xtts.pth",
        )
    except EngineError:
        raise
    except Exception as error:  # PyTorch, tokenizers and coqpit raise whatever comes
        raise EngineError(
            f"'{name}' is no XTTS checkpoint that can be loaded ({weights.name}: "
            f"{_first_line(error)})."
        ) from error
    return model


def _prepare(model: Any, device: str, dtype: Any) -> None:
    import torch
    from torch.nn.utils import parametrize

    model.to(device)
    # Only the language model: conditioning and vocoder are quick, and lose by rounding.
    for part in (model.gpt.gpt_inference, model.gpt.text_embedding, model.gpt.text_pos_embedding):
        part.to(dtype)
    if dtype.itemsize < 4:
        # Positions are coded elsewhere, and coqui-tts fills in zeros that are always float32.
        model.gpt.gpt.wpe = lambda positions: torch.zeros(
            (*positions.shape, model.gpt.model_dim), dtype=dtype, device=positions.device
        )
    # Otherwise the vocoder's weights are recomputed for every piece.
    for module in model.hifigan_decoder.waveform_decoder.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].rstrip(".:")
