"""Fine-tuning XTTSv2 on one voice, by coqui-tts's own trainer of its language model.

What livedub adds: it stops when the evaluation loss no longer falls, resumes an interrupted run,
and leaves a checkpoint folder that the ``xtts`` engine loads like the original.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.base import EngineError
from stages.speakers.reference import RATE, read_clip
from stages.tts.xtts.checkpoint import quiet
from stages.weights.cache import atomic_directory, atomic_file

NEEDED = ("model.pth", "config.json", "vocab.json", "dvae.pth", "mel_stats.pth")
"""Files of the base checkpoint that training reads; the last two only training does."""

DESCRIPTION = "dataset.json"
"""File of a set that says what language is spoken."""

_RUN = "training"
_SAMPLE_RATE = 22_050


@dataclass(frozen=True, slots=True)
class FinetuneOptions:
    """How to train.

    Attributes:
        language: of the recordings, ISO 639-1.
        epochs: at most.
        patience: epochs without a lower evaluation loss after which it ends.
        batch: clips in one step.
        accumulate: steps whose gradients are added up; batch x accumulate near 250 is what
            coqui-tts recommends for XTTSv2.
        learning_rate: AdamW's.
        seed: of the order of clips.
    """

    language: str
    epochs: int = 50
    patience: int = 5
    batch: int = 3
    accumulate: int = 84
    learning_rate: float = 5e-6
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Training:
    """The outcome of a training.

    Attributes:
        losses: evaluation loss after each epoch, those of earlier runs included.
        best: index of the lowest one; that epoch's weights are in the checkpoint.
        folder: the finished checkpoint.
    """

    losses: tuple[float, ...]
    best: int
    folder: Path


class _EnoughError(Exception):
    """The evaluation loss has stopped falling."""


def finetune(
    dataset: Path,
    base: Path,
    out: Path,
    options: FinetuneOptions,
    report: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Training:
    """Train on a set made by ``livedub dataset build``; blocks until it is done.

    Args:
        dataset: folder with ``wavs/``, ``metadata_train.csv`` and ``metadata_eval.csv``.
        base: folder of the checkpoint to start from, with the files of ``NEEDED``.
        out: folder to make; ``out/training`` keeps what resuming needs.
        options: how.
        report: called with each epoch's number and evaluation loss.

    Raises:
        EngineError: if something is missing, or the training breaks down.
    """
    for module in ("TTS", "trainer"):
        if importlib.util.find_spec(module) is None:
            raise EngineError("Fine-tuning needs coqui-tts: pip install 'livedub[xtts]'.")
    if absent := [name for name in NEEDED if not (base / name).is_file()]:
        raise EngineError(
            f"The checkpoint folder {base} lacks {', '.join(absent)}: XTTS-v2's own repository has "
            "all of them."
        )
    train, evaluation = (_samples(dataset, part, options.language) for part in ("train", "eval"))
    run = out / _RUN
    run.mkdir(parents=True, exist_ok=True)
    losses = _losses(run)
    if not _is_over(losses, options):
        _train(base, run, train, evaluation, options, losses, report)
    best = losses.index(min(losses))
    _export(base, run, out)
    return Training(tuple(losses), best, out)


def language_of(dataset: Path) -> str:
    """The language that a set was built for, ISO 639-1.

    Raises:
        EngineError: if the set does not say.
    """
    if not dataset.is_dir():
        raise EngineError(f"{dataset} is no folder: make a set with livedub dataset build.")
    try:
        return str(json.loads((dataset / DESCRIPTION).read_text(encoding="utf-8"))["language"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EngineError(
            f"{dataset} does not say what language is spoken: name it with --language."
        ) from error


def _samples(dataset: Path, part: str, language: str) -> list[dict[str, str]]:
    path = dataset / f"metadata_{part}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="|", quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise EngineError(
            f"{path} cannot be read: make the data set with livedub dataset build."
        ) from error
    samples = [
        {
            "text": row[1],
            "audio_file": str(dataset / "wavs" / f"{row[0]}.wav"),
            "speaker_name": "speaker",
            "language": language,
            "root_path": str(dataset),
        }
        for row in rows
        if len(row) >= 2 and row[1].strip()
    ]
    # The trainer's data loader takes the second clip in place of one that it cannot use.
    if len(samples) < 2:
        raise EngineError(f"{path} lists {len(samples)} clips, and at least two are needed.")
    return samples


def _train(
    base: Path,
    run: Path,
    train: list[dict[str, str]],
    evaluation: list[dict[str, str]],
    options: FinetuneOptions,
    losses: list[float],
    report: Callable[[int, float], None],
) -> None:
    from trainer import Trainer, TrainerArgs
    from TTS.tts.layers.xtts.trainer import dataset
    from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer

    quiet()
    # Its own way needs torchcodec, which needs FFmpeg's libraries and, as PyPI has it, CUDA's.
    dataset.load_audio = _load_audio
    config = _config(base, run, options)
    earlier = sorted(run.glob("voice-*/*.pth"), key=lambda path: path.stat().st_mtime)
    resumed = str(earlier[-1].parent) if earlier else ""

    def ended(trainer: Any) -> None:
        loss = float(trainer.keep_avg_eval["avg_loss"])
        if not math.isfinite(loss):
            raise EngineError(
                "The training diverged: lower --learning-rate, and remove the folder."
            )
        losses.append(loss)
        trainer.save_checkpoint()
        with atomic_file(run / "losses.json") as file:
            file.write(json.dumps(losses).encode())
        report(len(losses), losses[-1])
        if _is_over(losses, options):
            raise _EnoughError

    try:
        model = GPTTrainer(config)
        trainer = Trainer(
            TrainerArgs(continue_path=resumed, grad_accum_steps=options.accumulate),
            config,
            output_path=str(run),
            model=model,
            train_samples=train,
            eval_samples=evaluation,
            parse_command_line_args=False,
            callbacks={"on_epoch_end": ended},
        )
        # A run that goes on has the epochs still to come, whatever it was first told.
        trainer.config.epochs = trainer.epochs_done + max(options.epochs - len(losses), 1)
        # ``fit`` would end the process on any exception, ours included.
        trainer._fit()
    except _EnoughError:
        pass
    except (RuntimeError, ValueError, AssertionError, OSError, KeyError) as error:
        raise EngineError(f"The training broke down: {error}") from error


def _load_audio(path: str, sample_rate: int) -> Any:
    """A clip as coqui-tts wants it: a tensor of shape ``(1, n)``."""
    import torch

    if sample_rate != RATE:
        raise EngineError(
            f"The checkpoint's sound is at {sample_rate} Hz; XTTSv2 is trained at {RATE} Hz."
        )
    return torch.from_numpy(read_clip(Path(path)).clip(-1, 1))[None]


def _config(base: Path, run: Path, options: FinetuneOptions) -> Any:
    from dataclasses import fields

    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTArgs, GPTTrainerConfig

    known = XttsConfig()
    try:
        known.load_json(str(base / "config.json"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise EngineError(f"{base / 'config.json'} is no configuration of XTTS: {error}") from error
    model = known.model_args
    shape = {field.name: getattr(model, field.name) for field in fields(model)}
    arguments = GPTArgs(
        **shape
        | {
            "tokenizer_file": str(base / "vocab.json"),
            "mel_norm_file": str(base / "mel_stats.pth"),
            "dvae_checkpoint": str(base / "dvae.pth"),
            "xtts_checkpoint": str(base / "model.pth"),
            # Conditioning on a stretch of the clip itself, which is then hidden from the loss.
            "gpt_use_masking_gt_prompt_approach": True,
            "min_conditioning_length": _SAMPLE_RATE,
            "max_conditioning_length": 6 * _SAMPLE_RATE,
        }
    )
    return GPTTrainerConfig(
        model_args=arguments,
        audio=known.audio,
        languages=known.languages,
        output_path=str(run),
        run_name="voice",
        epochs=options.epochs,
        batch_size=options.batch,
        eval_batch_size=options.batch,
        batch_group_size=0,
        num_loader_workers=0,
        num_eval_loader_workers=0,
        training_seed=options.seed,
        run_eval=True,
        print_eval=False,
        print_step=50,
        save_step=10**9,
        save_n_checkpoints=1,
        target_loss="loss",
        test_sentences=[],
        # As XTTSv2 itself was trained.
        optimizer="AdamW",
        optimizer_wd_only_on_weights=True,
        optimizer_params={"betas": [0.9, 0.96], "eps": 1e-8, "weight_decay": 1e-2},
        lr=options.learning_rate,
        lr_scheduler="ConstantLR",
        lr_scheduler_params={"factor": 1.0},
    )


def _losses(run: Path) -> list[float]:
    try:
        return [float(loss) for loss in json.loads((run / "losses.json").read_text())]
    except (OSError, ValueError):
        return []


def _is_over(losses: list[float], options: FinetuneOptions) -> bool:
    since = len(losses) - 1 - losses.index(min(losses)) if losses else 0
    return len(losses) >= options.epochs or since >= options.patience


def _export(base: Path, run: Path, out: Path) -> None:
    """The best epoch's weights and what else a checkpoint folder needs, moved in when complete."""
    import torch

    found = sorted(run.glob("voice-*/best_model.pth"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise EngineError(f"{run} holds no trained model: remove it and start again.")
    state = torch.load(found[-1], map_location="cpu", weights_only=True)["model"]
    prefix = "xtts."
    weights = {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
    with atomic_directory(run / "checkpoint") as made:
        torch.save({"model": weights}, made / "model.pth")
        for name in (*NEEDED[1:], "speakers_xtts.pth"):
            if (base / name).is_file():
                shutil.copy2(base / name, made / name)
    for file in (run / "checkpoint").iterdir():
        file.replace(out / file.name)
    (run / "checkpoint").rmdir()
