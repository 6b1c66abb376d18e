"""An argument parser that says what a mistyped command or option may have meant."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


class SuggestingParser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` with suggestions, and its examples printed as they are written.

    Args:
        examples: command lines, shown below the options.
        options: as `argparse.ArgumentParser` takes them.
    """

    def __init__(self, *, examples: Sequence[str] = (), **options: Any) -> None:
        if examples:
            options["epilog"] = "\n".join(("examples:", *(f"  {line}" for line in examples)))
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all arguments: here, where the options are known, one left over is refused."""
        parsed, left = super().parse_known_args(args, namespace)
        if left:
            options = [name for action in self._actions for name in action.option_strings]
            self.error(f"there is no '{left[0]}' here{_meant(left[0].partition('=')[0], options)}")
        return parsed, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = list(action.choices or ())
        if not choices or value in choices:
            return
        what = action.dest.replace("_", " ")
        hint = _meant(str(value), map(str, choices))
        if not hint:
            hint = f"; choose from {', '.join(map(str, choices))}"
        raise argparse.ArgumentError(None, f"there is no {what} '{value}'{hint}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}\nFor help: {self.prog} --help\n")


class PrintCompletion(argparse.Action):
    """Prints the script that completes the command in a shell, and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, choices=("bash", "zsh", "tcsh"), help=help)

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> NoReturn:
        """Print for the shell that was named."""
        import shtab

        print(shtab.complete(parser, given[1]))
        parser.exit()


def _meant(text: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(text, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
