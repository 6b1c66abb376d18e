"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from server.evaluation.metrics import METRICS, shown
from server.evaluation.plots import Plot
from server.evaluation.record import Evaluation
from server.evaluation.waterfall import section

_OF_A_CLIP = (
    "bleu", "chrf", "wer", "dub_wer", "stream_laal", "on_time", "isochrony", "onset_error", "cpu",
)  # fmt: skip
_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .25rem .7rem; text-align: left; border-bottom: 1px solid #8886 }
td.n { text-align: right; font-variant-numeric: tabular-nums }
tr.group th { padding-top: 1rem }
td.best { font-weight: 600 }
figure { display: inline-block; margin: 0 1rem 1rem 0; background: #fff; color: #000 }
figcaption { padding: .5rem .8rem 0 }
svg { max-width: 100%; height: auto }
small, .note { color: #777 }
"""


def document(title: str, body: Iterable[str]) -> str:
    """A whole page around what is in it, which must be escaped already."""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n" + "\n".join(body) + "\n</html>\n"
    )


def figure(caption: str, svg: str) -> str:
    """A plot with its caption."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{svg}</figure>"


def page(evaluation: Evaluation, plots: Sequence[Plot]) -> str:
    """The report of an evaluation, with its plots."""
    about = (
        f"{len(evaluation.runs[0].clips)} clips, {evaluation.media_s:g} s of media, "
        f"{evaluation.source} to {evaluation.target}; livedub {evaluation.version}, "
        f"{evaluation.made}; {evaluation.machine}, load {evaluation.load:g} when it began."
    )
    parts = [f"<p>{escape(about)}</p>", _figures(evaluation)]
    parts += [figure(plot.caption, plot.svg) for plot in plots]
    parts.append(section(evaluation))
    parts.append(_by_clip(evaluation))
    parts.append(_definitions(evaluation))
    parts.append(_systems(evaluation))
    parts.append(_translations(evaluation))
    return document("livedub evaluation", parts)


def _figures(evaluation: Evaluation) -> str:
    values = [run.values() for run in evaluation.runs]
    heads = "".join(f"<th>{escape(run.system)}</th>" for run in evaluation.runs)
    lines = [f"<table><tr><th>figure<th>unit<th>best{heads}</tr>"]
    group = ""
    for name, metric in METRICS.items():
        mine = [value[name] for value in values]
        if all(value is None for value in mine):
            continue
        if metric.group != group:
            group = metric.group
            lines.append(f'<tr class="group"><th colspan="{3 + len(mine)}">{escape(group)}</tr>')
        best = _best(metric.best, mine)
        cells = "".join(
            f'<td class="n{" best" if value is not None and value == best else ""}">{shown(value)}'
            for value in mine
        )
        lines.append(
            f'<tr title="{escape(metric.definition)}"><td>{escape(metric.title)}'
            f"<td>{escape(metric.unit)}<td>{escape(metric.best)}{cells}</tr>"
        )
    return "\n".join([*lines, "</table>"])


def _best(direction: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    if direction == "higher":
        return max(known)
    if direction == "lower":
        return min(known)
    return min(known, key=lambda value: abs(value - float(direction)))


def _by_clip(evaluation: Evaluation) -> str:
    heads = "".join(f"<th>{escape(METRICS[name].title)}" for name in _OF_A_CLIP)
    lines = [f"<h2>By clip</h2><table><tr><th>clip<th>system{heads}</tr>"]
    for clip in evaluation.runs[0].clips:
        for run in evaluation.runs:
            cells = "".join(f'<td class="n">{shown(run.value(name, clip))}' for name in _OF_A_CLIP)
            lines.append(f"<tr><td>{escape(clip)}<td>{escape(run.system)}{cells}</tr>")
    return "\n".join([*lines, "</table>"])


def _definitions(evaluation: Evaluation) -> str:
    rows = "".join(
        f"<tr><td>{escape(m.title)}<td>{escape(m.unit)}<td>{escape(m.best)}"
        f"<td>{escape(m.definition)}{' (live only)' if m.live else ''}<td>{escape(m.source)}"
        f"<td>{escape(m.pool)} over {m.per}s</tr>"
        for m in METRICS.values()
    )
    signatures = "".join(
        f"<p><code>{escape(name)}: {escape(text)}</code></p>"
        for name, text in evaluation.signatures.items()
    )
    return (
        "<h2>What the figures mean</h2><table><tr><th>figure<th>unit<th>best<th>definition"
        f"<th>after<th>pooled by</tr>{rows}</table>{signatures}"
    )


def _systems(evaluation: Evaluation) -> str:
    rows = "".join(
        f"<tr><td>{escape(run.system)}<td>{escape(run.kind)}"
        f"<td>{'offline' if run.delay is None else f'live, {run.delay:g} s behind'}"
        f"<td>{escape(', '.join(run.settings))}</tr>"
        for run in evaluation.runs
    )
    return f"<h2>Systems</h2><table><tr><th>name<th>kind<th>pace<th>settings</tr>{rows}</table>"


def _translations(evaluation: Evaluation) -> str:
    if not evaluation.references:
        return ""
    heads = "".join(f"<th>{escape(run.system)}" for run in evaluation.runs)
    lines = [f"<h2>Translations</h2><table><tr><th>reference{heads}</tr>"]
    for index, reference in enumerate(evaluation.references):
        cells = "".join(f"<td>{escape(run.hypotheses[index])}" for run in evaluation.runs)
        lines.append(f"<tr><td>{escape(reference)}{cells}</tr>")
    return "\n".join([*lines, "</table>"])
