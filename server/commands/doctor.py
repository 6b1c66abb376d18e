"""``livedub doctor``: what can run here, what cannot, and the command that fixes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.commands.diagnosis import Diagnosis, EngineState, Model, Pair, diagnose
from server.commands.ffmpeg_parts import Component
from server.config import Config
from server.srt.library import MISSING as SRT_MISSING
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
    asked = config or Config()
    there, cluster = False, None
    if asked.cluster.kinds:
        from server.commands.cluster import examined  # which knows sessions, and is not light

        there, cluster = examined(asked.cluster)
    # What the cluster has need not be here.
    found = diagnose(asked if there else asked.here, pull)
    if as_json:
        record = {**dataclasses.asdict(found), "cluster": cluster}
        console.print_json(json.dumps(record))
    else:
        _show(console, found)
        if cluster is not None:
            mark = "" if there else " *"
            console.print(f"Cluster: {cluster}{mark}", highlight=False, markup=False)
    return 0 if found.ready and (there or cluster is None) else 1


def _show(console: Console, found: Diagnosis) -> None:
    """The verdict first, then what it rests on; whatever is well takes one line at most."""
    _verdict(console, found)
    machine = found.machine
    cuda = f", {machine.cuda_devices} CUDA" if machine.cuda_devices else ""
    for line in (
        f"Python {machine.python} on {machine.system}",
        f"{machine.cpu}: {machine.usable_cpus} of {machine.cpus} CPUs usable{cuda}",
        *(f"GPU for PyTorch: {gpu}" for gpu in machine.gpus),
        f"CPU features: {' '.join(machine.features) or 'unknown'}",
        f"Cache: {found.cache.path}, {_megabytes(found.cache.size)}",
        f"eSpeak NG: {found.espeak or 'not installed'}",
        _daemon(found.serve_needs),
        f"SRT: {f'libsrt {found.srt}' if found.srt else SRT_MISSING}",
        f"Media: {_media(found.components)}",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(_engines(found.engines))
    console.print(_models(found.models))
    for name, versions in (("Packages", found.packages), ("FFmpeg", found.ffmpeg)):
        listed = ", ".join(f"{part} {version or '—'}" for part, version in versions.items())
        console.print(f"{name}: {listed}", highlight=False)


def _verdict(console: Console, found: Diagnosis) -> None:
    what = "The default profile" if found.asked is None else f"Dubbing {found.asked}"
    if found.ready:
        console.print(f"[green]{what} can run here.", soft_wrap=True)
    else:
        marked = ": see what is marked with *" if any(_marked(found)) else ""
        console.print(f"[red]{what} cannot run here{marked}.", soft_wrap=True)
    lines = [found.plan or str(found.choice)]
    if found.pairs:
        lines.append(f"Dubbed here as it is: {'; '.join(_grouped(found.pairs))}")
    lines.append("Others, and how to get them: livedub languages --source X --target Y")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _grouped(pairs: tuple[Pair, ...]) -> Iterator[str]:
    """Languages that the same engines dub into the same one, together."""
    sources: dict[tuple[str, str, str], list[str]] = {}
    for pair in pairs:
        sources.setdefault((pair.target, pair.translation, pair.voice), []).append(pair.source)
    for (target, translation, voice), spoken in sources.items():
        yield f"{', '.join(spoken)} -> {target} by {translation} and {voice}"


def _daemon(absent: tuple[str, ...]) -> str:
    needs = f"needs {', '.join(absent)}: pip install 'livedub[serve]'"
    return f"Daemon (livedub serve): {needs if absent else 'can run here'}"


def _media(components: tuple[Component, ...]) -> str:
    missing = [
        f"no {part.kind} {part.name}{' *' if part.needed else ''} ({part.purpose})"
        for part in components
        if not part.present
    ]
    return "; ".join(missing) or "FFmpeg has all that is used"


def _marked(found: Diagnosis) -> Iterator[bool]:
    yield from (part.needed and not part.present for part in found.components)
    yield from (engine.default and not engine.ready for engine in found.engines)


def _engines(engines: tuple[EngineState, ...]) -> Table:
    table = Table("kind", "name", "here", "licence: code / weights", title="Engines")
    table.columns[2].overflow = "fold"
    for engine in engines:
        here = Text("yes", "green") if engine.ready else Text(engine.remedy or "no", "yellow")
        mark = " (default)" if engine.default else ""
        if engine.default and not engine.ready:
            mark += " *"
        licence = f"{engine.code_licence} / {engine.weights_licence or '—'}"
        table.add_row(engine.kind, engine.name + mark, here, licence)
    return table


def _models(models: tuple[Model, ...]) -> Table:
    table = Table("weights", "size", "checksum", "from", title="Weights")
    table.columns[3].overflow = "fold"  # half a path or command is of no use
    for model in models:
        size = _megabytes(sum(file.size for file in model.files))
        verdict = Text(model.verdict, _STYLES[model.verdict])
        origin = KNOWN[model.name].install + (f", or hub {model.hub}" if model.hub else "")
        place = next((file.path for file in model.files if file.path), None)
        table.add_row(model.name, size, verdict, str(Path(place).parent) if place else origin)
    return table


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
