"""``livedub finetune``: train XTTSv2 on a voice."""

from __future__ import annotations

import argparse

from rich.console import Console

from stages.training.finetune import FinetuneOptions, finetune, language_of
from stages.weights.resolve import resolve
from stream.errors import UserError
from stream.languages import language_tag


def run_finetune(options: argparse.Namespace, console: Console) -> int:
    """Train and say how it went; exit status 0."""
    for name in ("epochs", "patience", "batch", "accumulate", "learning_rate"):
        if getattr(options, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')} must be above 0")
    chosen = FinetuneOptions(
        language_tag(options.language or language_of(options.dataset)),
        options.epochs,
        options.patience,
        options.batch,
        options.accumulate,
        options.learning_rate,
    )

    def report(epoch: int, loss: float) -> None:
        console.print(f"Epoch {epoch}: evaluation loss {loss:.4f}", highlight=False)

    done = finetune(options.dataset, resolve(options.model), options.out, chosen, report)
    console.print(
        f"{done.folder}: weights of epoch {done.best + 1} of {len(done.losses)}, evaluation loss "
        f"{done.losses[done.best]:.4f}. Compare it before you use it: livedub voices compare.",
        highlight=False,
        soft_wrap=True,
    )
    return 0
