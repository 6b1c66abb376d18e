"""The command line: arguments to a command, and its outcome to an exit status."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from server.arguments import build_parser
from stream.errors import UserError

UNUSABLE = 2
"""Exit status for input or configuration that cannot be used, as argparse has it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = build_parser().parse_args(arguments)
    if options.command is None or getattr(options, "action", "") is None:
        options.explained.print_help()
        return 0
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    if getattr(options, "offline", False):
        os.environ["LIVEDUB_OFFLINE"] = "1"
    try:
        status = COMMANDS[options.command](options)
    except UserError as error:
        print(f"livedub: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        return 130
    return status


def run() -> None:
    """Entry point of the ``livedub`` command."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if any(thread.name.startswith("livedub-") for thread in threading.enumerate()):
        # A model hangs in native code: an orderly exit would wait for it, or abort under it.
        os._exit(status)
    sys.exit(status)


def _file(options: argparse.Namespace) -> int:
    from server.commands.file import run_file

    return run_file(options, Console(stderr=True))


def _batch(options: argparse.Namespace) -> int:
    from server.commands.batch import run_batch

    return run_batch(options, Console(stderr=True))


def _measure(options: argparse.Namespace) -> int:
    from server.evaluation.measure import run_measure

    return run_measure(
        options.original,
        options.dubbed,
        Console(),
        as_json=options.json,
        original_track=options.original_track,
        dubbed_track=options.dubbed_track,
    )


def _eval(options: argparse.Namespace) -> int:
    needed = ("sacrebleu", "rapidfuzz", "whisper_normalizer", "matplotlib")
    if absent := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise UserError(f"eval needs {', '.join(absent)}: pip install 'livedub[eval]'")
    from server.evaluation.command import run_eval

    return run_eval(options, Console())


def _doctor(options: argparse.Namespace) -> int:
    from server.commands.doctor import run_doctor
    from server.commands.models import pull_arguments, spoken
    from server.config import load

    assignments = [*options.set, *spoken(options)]
    config = load(options.config, preset=options.preset, assignments=assignments, cluster=True)
    return run_doctor(Console(), options.json, config, pull_arguments(options))


def _serve(options: argparse.Namespace) -> int:
    _require_serving()
    from server.commands.serve import run_serve

    return run_serve(options, Console(stderr=True))


def _listen(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("websockets") is None:
        raise UserError("this needs websockets: pip install 'livedub[listen]'")
    from server.commands.listen import run_listen

    return run_listen(options, Console(stderr=True))


def _languages(options: argparse.Namespace) -> int:
    from server.commands.languages import run_languages

    return run_languages(options, Console())


def _models(options: argparse.Namespace) -> int:
    from server.commands.models import run_models

    return run_models(options, Console(soft_wrap=True))


def _voices(options: argparse.Namespace) -> int:
    if options.action == "compare":
        from server.commands.compare_voices import run_compare

        return run_compare(options, Console())
    from server.commands.voices import run_voices

    return run_voices(options, Console())


def _dataset(options: argparse.Namespace) -> int:
    from server.commands.dataset import run_dataset

    return run_dataset(options, Console(stderr=True))


def _finetune(options: argparse.Namespace) -> int:
    from server.commands.finetune import run_finetune

    return run_finetune(options, Console(stderr=True))


def _cluster(options: argparse.Namespace) -> int:
    from server.commands.cluster import run_cluster

    return run_cluster(options, Console())


def _require_serving() -> None:
    from server.commands.diagnosis import missing_for_serving

    if absent := missing_for_serving():
        raise UserError(f"this needs {', '.join(absent)}: pip install 'livedub[serve]'")


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "file": _file,
    "batch": _batch,
    "measure": _measure,
    "eval": _eval,
    "doctor": _doctor,
    "serve": _serve,
    "listen": _listen,
    "languages": _languages,
    "models": _models,
    "voices": _voices,
    "dataset": _dataset,
    "finetune": _finetune,
    "cluster": _cluster,
}
"""What runs each command; its modules are imported when it does."""


if __name__ == "__main__":
    run()
