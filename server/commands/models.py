"""``livedub models``: fetch, list, verify and convert weights."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from server.config import Config, load
from server.engines.settled import choice, parts, require, settled, wanted
from stages.base import EngineError
from stages.languages.choice import described, packages, weights_of
from stages.mt.convert import can_convert, converted
from stages.registry import install_command
from stages.weights.cache import cache_dir
from stages.weights.hub_cache import Fetched, damaged, fetched
from stages.weights.known import KNOWN
from stages.weights.licences import accept, is_accepted, licence_of
from stages.weights.resolve import Verdict, on_the_hub, resolve, weights

_MARIAN = re.compile(r"opus-mt|m2m100|nllb")
"""Checkpoints that are converted before they are used."""

CORRUPTED = 1
"""Exit status of ``verify`` if a checksum is wrong."""


def run_models(options: argparse.Namespace, console: Console) -> int:
    """Pull, list, verify or convert; the exit status."""
    actions = {"pull": pull, "list": list_models, "verify": verify, "convert": convert}
    return actions[options.action](options, console)


def references(config: Config) -> list[str]:
    """All weights that a configuration loads, as ``resolve`` takes them.

    Where an engine is ``auto``, those of the best there is for the languages.
    """
    found = [weight for part in parts(wanted(config)) for weight in weights_of(part)]
    return list(dict.fromkeys(map(on_the_hub, found)))


def pull(options: argparse.Namespace, console: Console) -> int:
    """Fetch weights; what is there stays, interrupted downloads resume."""
    if options.models:
        for name in _with_companions(map(on_the_hub, options.models)):
            _fetch(name, options, console)
        return 0
    assignments = [*options.set, *spoken(options)]
    config = load(options.config, preset=options.preset, assignments=assignments)
    names = references(config)
    failure = None
    for number, name in enumerate(names, 1):
        try:
            _fetch(name, options, console, f"{number} of {len(names)}: ")
        except EngineError as error:
            console.print(f"{number} of {len(names)}: {error}", highlight=False)
            failure = failure or error
    for part in parts(wanted(config)):
        if absent := packages(part):
            console.print(f"{described(part)} needs {install_command(absent)}", highlight=False)
    if failure is not None:
        # What is here may serve, if not as well.
        settled(config)
        require(config, pull_arguments(options), also_named=True)
        console.print(f"Without that: {choice(config)}", highlight=False)
    return 0


def _fetch(name: str, options: argparse.Namespace, console: Console, count: str = "") -> None:
    licence = licence_of(name)
    if licence is not None and not Path(name).exists():
        console.print(f"{name}: {licence.title}, {licence.url}: {licence.terms}.", style="bold")
        if options.accept_licence and not is_accepted(licence):
            accept(licence)
    path = resolve(name)
    if bad := _damaged(name):
        raise EngineError(f"{name} did not come as it was sent ({', '.join(bad)}): pull it again.")
    console.print(f"{count}{name}: {_megabytes(_size(path))} in {path}", highlight=False)
    if path.is_dir() and _MARIAN.search(name) and can_convert():
        console.print(f"{name}: converted, in {converted(path, name)}", highlight=False)


def spoken(options: argparse.Namespace) -> list[str]:
    """The settings of ``--source-lang`` and ``--target-lang``."""
    given = {"source": options.source_lang, "target": options.target_lang}
    return [f"languages.{name}={value}" for name, value in given.items() if value is not None]


def pull_arguments(options: argparse.Namespace) -> str:
    """What ``livedub models pull`` needs to fetch what another command's options configure.

    Nothing if that is the plain default, whose languages say it better.
    """
    given: list[str] = []
    for option in ("preset", "config"):
        if (value := getattr(options, option)) is not None:
            given += [f"--{option}", str(value)]
    for setting in options.set:
        given += ["--set", setting]
    if not given:
        return ""
    for option in ("source_lang", "target_lang"):
        if (value := getattr(options, option, None)) is not None:
            given += [f"--{option.replace('_', '-')}", value]
    return shlex.join(given)


def _with_companions(names: Iterable[str]) -> Iterator[str]:
    """A Piper voice is two files."""
    for name in names:
        yield name
        if name.endswith(".onnx") and ":" in name:
            yield f"{name}.json"


@dataclass(frozen=True, slots=True)
class Held:
    """Weights that are here, or could be.

    Attributes:
        weights: their name.
        bytes: on disk; ``None`` where they are not here.
        licence: its name.
        path: where they are.
        install: the command that brings them, where they are not here.
    """

    weights: str
    bytes: int | None
    licence: str
    path: str | None
    install: str | None = None


def list_models(options: argparse.Namespace, console: Console) -> int:
    """Show what is on this machine and what each is licensed under."""
    found = list(_held())
    if options.json:
        console.print_json(data=[asdict(one) for one in found])
        return 0
    table = Table("weights", "size", "licence", "where")
    for one in found:
        size = "-" if one.bytes is None else _megabytes(one.bytes)
        table.add_row(one.weights, size, one.licence, one.path or one.install)
    console.print(table)
    return 0


def _held() -> Iterator[Held]:
    for name, known in KNOWN.items():
        files = weights(name)
        place = next((file.path for file in files if file.path), None)
        if place is None:
            yield Held(name, None, known.licence, None, known.install)
        else:
            yield Held(name, sum(file.size for file in files), known.licence, str(place))
    for repository in fetched():
        licence = licence_of(repository.name)
        terms = licence.name if licence else "see its page on the hub"
        yield Held(repository.name, repository.size, terms, str(repository.path))
    made = cache_dir() / "converted"
    for folder in sorted(made.iterdir()) if made.is_dir() else []:
        if folder.is_dir() and not folder.name.startswith("."):
            yield Held(folder.name, _size(folder), "as the original", str(folder))


def verify(options: argparse.Namespace, console: Console) -> int:
    """Hash every file of packaged and fetched weights."""
    there = {repository.name: repository for repository in fetched()}
    names = list(map(on_the_hub, options.models)) or [*KNOWN, *there]
    status = 0
    for name in names:
        verdict, detail = _verdict(name, there)
        console.print(f"{name}: {verdict}{detail}", highlight=False)
        if verdict is Verdict.CORRUPTED or (verdict is Verdict.ABSENT and options.models):
            status = CORRUPTED
    return status


def convert(options: argparse.Namespace, console: Console) -> int:
    """Make a transformers checkpoint into a CTranslate2 model, in the cache."""
    console.print(str(converted(resolve(options.model), options.model)), highlight=False)
    return 0


def _damaged(reference: str) -> list[str]:
    """Files of what was fetched that are not what the hub sent."""
    name = re.split("[@:]", reference)[0]
    return [bad for one in fetched() if one.name == name for bad in damaged(one)]


def _verdict(name: str, there: dict[str, Fetched]) -> tuple[Verdict, str]:
    if name in KNOWN:
        found = {weight.verdict for weight in weights(name)}
        worst = next((v for v in (Verdict.CORRUPTED, Verdict.ABSENT) if v in found), Verdict.OK)
        remedy = f": {KNOWN[name].reinstall}"
        return worst, remedy if worst is Verdict.CORRUPTED else ""
    if name not in there:
        return Verdict.ABSENT, " (livedub models list shows what is here)"
    if bad := damaged(there[name]):
        return Verdict.CORRUPTED, f" ({', '.join(bad)}): delete {there[name].path} and pull again"
    return Verdict.OK, ""


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
