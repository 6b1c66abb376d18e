"""``livedub eval``: a test set through one or more systems, and a report of how good they were."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from server.config import Config, load
from server.evaluation.listener import Listener
from server.evaluation.manifest import Clip, Manifest, for_target, read_manifest
from server.evaluation.metrics import METRICS, shown
from server.evaluation.performance import read_performance
from server.evaluation.record import Evaluation, Onset, Run
from server.evaluation.score import score_clip
from server.evaluation.sound import Ear
from server.evaluation.systems import System, systems_of
from server.evaluation.translation_scores import comet_scores, signatures
from server.evaluation.translations import Translations
from stream.errors import UserError
from stream.languages import base
from stream.media.soundtrack import read_soundtrack
from stream.timeline import seconds

MOST_COLUMNS = 4
"""Systems for which a terminal has room side by side."""

HEADLINES = ("bleu", "wer", "first_dub", "on_time", "lost", "isochrony", "onset_error", "cpu")


def run_eval(options: argparse.Namespace, console: Console) -> int:
    """Evaluate, or compare two reports; exit status 0."""
    # Either signal also ends the dubbing process under way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.manifest[0] == Path("compare"):
        from server.evaluation.compare import run_compare

        return run_compare(options, console)
    if len(options.manifest) != 1:
        raise UserError("eval takes one manifest, or: eval compare A.json B.json")
    if options.out is None:
        raise UserError("eval needs --out DIR for its report")
    if options.delay is not None and not options.realtime:
        console.print("Note: --delay has no effect without --realtime.", highlight=False)
    manifest = read_manifest(options.manifest[0], options.clips)
    systems = systems_of(options)
    target = _target(systems, manifest)
    manifest = for_target(manifest, target)
    ear = Ear() if options.sound else None
    listener = _listener(options.listener or ("base" if options.sound else None), target)
    translations = Translations((manifest.source, target))
    try:
        evaluation = evaluate(manifest, systems, options, listener, translations, console, ear)
    finally:
        translations.close()
        if listener is not None:
            listener.close()
    _write(evaluation, options.out, console)
    return 0


def evaluate(
    manifest: Manifest,
    systems: Sequence[System],
    options: argparse.Namespace,
    listener: Listener | None,
    translations: Translations,
    console: Console,
    ear: Ear | None = None,
) -> Evaluation:
    """Run every clip through every system and score the results."""
    began = os.getloadavg()[0]
    languages = manifest.source, manifest.target
    runs: list[Run] = []
    references: list[str] = []
    for system in systems:
        run = Run(
            system=system.name, kind=system.kind, delay=system.delay,
            settings=list(system.settings), segments=[], clips=[],
            rows={name: [] for name in METRICS}, hypotheses=[], tempos=[],
        )  # fmt: skip
        sources: list[str] = []
        references = []
        for clip in manifest.clips:
            dubbed, record = system.produced(clip, options.out)
            if not (options.rescore and dubbed.exists() and record.exists()):
                console.print(f"{system.name}: {clip.name}", highlight=False)
                dubbed, record = system.run(clip, options.out, stems=ear is not None)
            performance = read_performance(record)
            run.delay = performance.delay if run.delay is None else run.delay
            anew = translations.of(system)
            scored = score_clip(clip, dubbed, performance, languages, listener, anew, ear)
            for name, rows in scored.rows.items():
                run.rows[name] += rows
            count = len(scored.rows["isochrony"])
            run.segments += [f"{clip.name}/{index}" for index in range(count)]
            run.clips.append(clip.name)
            run.hypotheses += scored.hypotheses
            run.onsets += [Onset(fate=u.fate, causes=u.causes) for u in performance.utterances]
            run.tempos += [u.tempo for u in performance.utterances if u.tempo is not None]
            sources += scored.sources
            references += scored.references
        _add_comet(run, sources, references)
        runs.append(run)
    return Evaluation(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=importlib.metadata.version("livedub"),
        machine=f"{os.cpu_count()} CPUs, {platform.machine()}, {platform.system()}",
        load=round(began, 2),
        source=manifest.source,
        target=manifest.target,
        media_s=round(sum(_length(clip) for clip in manifest.clips), 2),
        signatures=signatures(),
        listener=listener.model if listener is not None else None,
        references=references,
        runs=runs,
    )


def _add_comet(run: Run, sources: Sequence[str], references: Sequence[str]) -> None:
    if len(run.hypotheses) != len(run.segments) or len(sources) != len(references):
        return  # some clips have no references, so scores would not belong to their segments
    scores = comet_scores(sources, run.hypotheses, references)
    if scores is not None:
        run.rows["comet"] = [[score] for score in scores]


def _length(clip: Clip) -> float:
    return seconds(read_soundtrack(clip.media).audio_end)


def _target(systems: Sequence[System], manifest: Manifest) -> str:
    """The one language that all systems dub into."""
    configs: list[Config] = [
        load(s.config, assignments=s.settings) for s in systems if s.kind != "files"
    ]
    targets = {config.target for config in configs} or {manifest.target}
    if len(targets) > 1:
        raise UserError(f"the systems dub into {' and '.join(sorted(targets))}: choose one")
    return targets.pop()


def _listener(model: str | None, target: str) -> Listener | None:
    if model is not None:
        return Listener(target, model)
    return Listener(target, "tiny.en") if base(target) == "en" else None


def _write(evaluation: Evaluation, out: Path, console: Console) -> None:
    from server.evaluation import waterfall
    from server.evaluation.page import page
    from server.evaluation.plots import plots

    out.mkdir(parents=True, exist_ok=True)
    drawn = plots(evaluation)
    (out / "eval.json").write_text(evaluation.model_dump_json(indent=1) + "\n", "utf-8")
    (out / "eval.html").write_text(page(evaluation, drawn), "utf-8")
    for plot in drawn:
        (out / f"{plot.name}.svg").write_text(plot.svg, "utf-8")
    console.print(_table(evaluation))
    if (times := waterfall.table(evaluation)) is not None:
        console.print(times)
    console.print(f"{out / 'eval.json'} and eval.html written", highlight=False)


def _table(evaluation: Evaluation) -> Table:
    """All figures of a few systems, or a few figures of many."""
    table = Table(title=f"{evaluation.source} to {evaluation.target}, {evaluation.media_s:g} s")
    values = [run.values() for run in evaluation.runs]
    if len(values) > MOST_COLUMNS:
        table.add_column("system")
        known = [name for name in HEADLINES if any(v[name] is not None for v in values)]
        for name in known:
            table.add_column(METRICS[name].title, justify="right")
        for run, value in zip(evaluation.runs, values, strict=True):
            table.add_row(run.system, *(shown(value[name]) for name in known))
        return table
    table.add_column("figure")
    table.add_column("unit")
    table.add_column("best")
    for run in evaluation.runs:
        table.add_column(run.system, justify="right")
    for name, metric in METRICS.items():
        mine = [value[name] for value in values]
        if any(value is not None for value in mine):
            table.add_row(metric.title, metric.unit, metric.best, *map(shown, mine))
    return table
