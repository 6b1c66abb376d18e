"""``livedub doctor``: what can run here, what cannot, and the command that fixes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.commands.diagnosis import Component, Diagnosis, EngineState, Model, diagnose
from server.config import Config
from stages.weights.known import KNOWN
from stages.weights.resolve import Verdict

_STYLES = {Verdict.OK: "green", Verdict.CORRUPTED: "bold red", Verdict.ABSENT: "yellow"}


def run_doctor(
    console: Console, as_json: bool = False, config: Config | None = None, pull: str = ""
) -> int:
    """Examine this machine and show what was found.

    Args:
        console: where to write.
        as_json: one JSON object instead of tables.
        config: of the dub that is asked about; the default profile otherwise.
        pull: arguments of ``livedub models pull`` that stand for it.

    Returns:
        0 if that can run here, else 1.
    """
    found = diagnose(config or Config(), pull)
    if as_json:
        record = dataclasses.asdict(found)
        console.print_json(json.dumps(record))
    else:
        _show(console, found)
    return 0 if found.ready else 1


def _show(console: Console, found: Diagnosis) -> None:
    machine = found.machine
    console.print(f"Python {machine.python} on {machine.system}")
    cuda = f", {machine.cuda_devices} CUDA" if machine.cuda_devices else ""
    console.print(f"{machine.cpu}: {machine.usable_cpus} of {machine.cpus} CPUs usable{cuda}")
    for gpu in machine.gpus:
        console.print(f"GPU for PyTorch: {gpu}", highlight=False)
    console.print(f"CPU features: {' '.join(machine.features) or 'unknown'}")
    console.print(f"Cache: {found.cache.path}, {_megabytes(found.cache.size)}")
    console.print(f"eSpeak NG: {found.espeak or 'not installed'}")
    absent = ", ".join(found.serve_needs)
    serving = f"needs {absent}: pip install 'livedub[serve]'" if absent else "can run here"
    console.print(f"Daemon (livedub serve): {serving}", markup=False, soft_wrap=True)
    installed = (f"{name} {version or '—'}" for name, version in found.packages.items())
    console.print(f"Packages: {', '.join(installed)}")
    libraries = (f"{name} {version}" for name, version in found.ffmpeg.items())
    console.print(f"FFmpeg: {', '.join(libraries)}")
    console.print(_components(found.components))
    console.print(_engines(found.engines))
    console.print(_models(found.models))
    what = "The default profile" if found.asked is None else f"Dubbing {found.asked}"
    if found.ready:
        console.print(f"[green]{what} can run here.", soft_wrap=True)
        return
    marked = ": see what is marked with *" if any(_marked(found)) else ""
    console.print(f"[red]{what} cannot run here{marked}.", soft_wrap=True)
    if found.plan is not None:
        console.print(found.plan, highlight=False, markup=False, soft_wrap=True)


def _marked(found: Diagnosis) -> Iterator[bool]:
    yield from (part.needed and not part.present for part in found.components)
    yield from (engine.default and not engine.ready for engine in found.engines)


def _components(components: tuple[Component, ...]) -> Table:
    table = Table("FFmpeg", "name", "here", "for", title="Media")
    for part in components:
        here = Text("yes", "green") if part.present else Text("no", "red" if part.needed else "")
        mark = "" if part.present or not part.needed else " *"
        table.add_row(part.kind, part.name + mark, here, part.purpose)
    return table


def _engines(engines: tuple[EngineState, ...]) -> Table:
    table = Table("kind", "name", "here", "languages", "licence: code / weights", title="Engines")
    for engine in engines:
        here = Text("yes", "green") if engine.ready else Text(engine.remedy or "no", "yellow")
        mark = " (default)" if engine.default else ""
        if engine.default and not engine.ready:
            mark += " *"
        licence = f"{engine.code_licence} / {engine.weights_licence or '—'}"
        table.add_row(engine.kind, engine.name + mark, here, engine.languages, licence)
    return table


def _models(models: tuple[Model, ...]) -> Table:
    table = Table("weights", "size", "checksum", "from", title="Weights")
    for model in models:
        size = _megabytes(sum(file.size for file in model.files))
        verdict = Text(model.verdict, _STYLES[model.verdict])
        origin = KNOWN[model.name].install + (f", or hub {model.hub}" if model.hub else "")
        place = next((file.path for file in model.files if file.path), None)
        table.add_row(model.name, size, verdict, place or origin)
    return table


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
