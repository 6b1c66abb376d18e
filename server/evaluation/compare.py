"""``livedub eval compare``: is the difference between two systems more than chance?

Paired bootstrap. P. Koehn: Statistical Significance Tests for Machine Translation Evaluation.
EMNLP 2004, https://aclanthology.org/W04-3250. Segments (or clips) that both systems dubbed are
drawn with replacement, the same for both, and each metric is recomputed from every draw.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from server.evaluation.metrics import METRICS, Pool, Row, pooled, shown
from server.evaluation.page import document, figure
from server.evaluation.plots import intervals
from server.evaluation.record import Run, read_evaluation
from stream.errors import UserError

DRAWS = 1000
_SEED = 12345
_FEWEST_UNITS = 5
"""With fewer, an interval would be meaningless."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two systems.

    Attributes:
        metric: its name in the registry.
        a: value of A over the units that both have.
        b: value of B.
        low: 2.5th percentile of the differences B less A, or ``None`` with too few units.
        high: 97.5th percentile.
        p: two-sided: twice the share of draws with the opposite sign, at most 1.
        units: their number.
        better: ``A``, ``B``, or empty where the interval includes 0.
    """

    metric: str
    a: float
    b: float
    low: float | None
    high: float | None
    p: float | None
    units: int
    better: str


def run_compare(options: argparse.Namespace, console: Console) -> int:
    """Compare two runs and print; exit status 0."""
    if len(options.manifest) != 3:
        raise UserError("eval compare takes two reports: A.json[:SYSTEM] B.json[:SYSTEM]")
    a, b = (_run(str(text)) for text in options.manifest[1:])
    differences = compare(a, b)
    if not differences:
        raise UserError("the two runs have no clip in common")
    names = tuple(map(str, options.manifest[1:]))
    console.print(_table(differences, a, b))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        adapter = TypeAdapter(list[Difference])
        (options.out / "compare.json").write_bytes(adapter.dump_json(differences, indent=1) + b"\n")
        (options.out / "compare.html").write_text(_page(differences, a, b, names), "utf-8")
    return 0


def _run(text: str) -> Run:
    path, system = Path(text), None
    if not path.exists() and ":" in text:
        head, _, system = text.rpartition(":")
        path = Path(head)
    runs = {run.system: run for run in read_evaluation(path).runs}
    if system is None and len(runs) == 1:
        return next(iter(runs.values()))
    if system not in runs:
        raise UserError(f"{path} has {', '.join(runs)}: name one as {path}:SYSTEM")
    return runs[system]


def compare(a: Run, b: Run, draws: int = DRAWS) -> list[Difference]:
    """Every metric that both have, over the units that both have.

    Args:
        a: one run.
        b: another, of the same clips or some of them.
        draws: of the bootstrap.
    """
    found: list[Difference] = []
    for name, metric in METRICS.items():
        pairs = _paired(a, b, name)
        mine, other = [p[0] for p in pairs], [p[1] for p in pairs]
        ours, theirs = pooled(metric.pool, mine), pooled(metric.pool, other)
        if ours is None or theirs is None:
            continue
        gaps = _resampled(metric.pool, mine, other, draws) if len(pairs) >= _FEWEST_UNITS else None
        if gaps is None or not len(gaps):
            found.append(Difference(name, ours, theirs, None, None, None, len(pairs), ""))
            continue
        low, high = (float(q) for q in np.percentile(gaps, (2.5, 97.5)))
        p = min(1.0, 2 * float(min(np.mean(gaps <= 0), np.mean(gaps >= 0))))
        better = ""
        if low > 0 or high < 0:
            better = _better(metric.best, ours, theirs)
        found.append(Difference(name, ours, theirs, low, high, p, len(pairs), better))
    return found


def _paired(a: Run, b: Run, name: str) -> list[tuple[Row, Row]]:
    theirs = dict(zip(b.units(name), b.rows.get(name, []), strict=False))
    mine = zip(a.units(name), a.rows.get(name, []), strict=False)
    return [(row, theirs[unit]) for unit, row in mine if unit in theirs and (row or theirs[unit])]


def _resampled(
    pool: Pool, a: Sequence[Row], b: Sequence[Row], draws: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    drawn = np.random.default_rng(_SEED).integers(0, len(a), (draws, len(a)))
    if pool is Pool.RATIO:
        ours, theirs = (_table_of(rows)[drawn].sum(axis=1) for rows in (a, b))
        known = (ours[:, 1] > 0) & (theirs[:, 1] > 0)
        ours, theirs = ours[known], theirs[known]
        return np.asarray(theirs[:, 0] / theirs[:, 1] - ours[:, 0] / ours[:, 1], np.float64)
    gaps = []
    for indices in drawn.tolist():
        mine, other = pooled(pool, [a[i] for i in indices]), pooled(pool, [b[i] for i in indices])
        if mine is not None and other is not None:
            gaps.append(other - mine)
    return np.asarray(gaps, np.float64)


def _table_of(rows: Sequence[Row]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.asarray([row if len(row) else (0.0, 0.0) for row in rows], np.float64)


def _better(best: str, a: float, b: float) -> str:
    if best in ("higher", "lower"):
        return "B" if (b > a) == (best == "higher") else "A"
    ideal = float(best)
    return "B" if abs(b - ideal) < abs(a - ideal) else "A"


def _interval(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return "-"
    return f"{shown(difference.low)} to {shown(difference.high)}"


def _table(differences: Sequence[Difference], a: Run, b: Run) -> Table:
    table = Table(title=f"A is {a.system}, B is {b.system}; {DRAWS} paired draws")
    for heading in ("figure", "unit", "A", "B", "B - A, 95 %", "p", "n", "better"):
        table.add_column(heading, justify="left" if heading in ("figure", "unit") else "right")
    for d in differences:
        metric = METRICS[d.metric]
        p = "-" if d.p is None else f"{d.p:.3f}"
        table.add_row(
            metric.title, metric.unit, shown(d.a), shown(d.b), _interval(d), p, str(d.units),
            d.better,
        )  # fmt: skip
    return table


def _page(differences: Sequence[Difference], a: Run, b: Run, names: tuple[str, ...]) -> str:
    rows = "".join(
        f"<tr><td>{escape(METRICS[d.metric].title)}<td>{escape(METRICS[d.metric].unit)}"
        f'<td class="n">{shown(d.a)}<td class="n">{shown(d.b)}<td class="n">{_interval(d)}'
        f'<td class="n">{"-" if d.p is None else f"{d.p:.3f}"}<td class="n">{d.units}'
        f"<td>{d.better}</tr>"
        for d in differences
    )
    scaled = [
        (METRICS[d.metric].title, share * (d.b - d.a), share * d.low, share * d.high)
        for d in differences
        if d.low is not None and d.high is not None and d.a
        for share in (100 / abs(d.a),)
    ]
    return document(
        f"{a.system} and {b.system} compared",
        [
            f"<p>A: {escape(names[0])} ({escape(a.system)}). B: {escape(names[1])} "
            f"({escape(b.system)}). Paired bootstrap, {DRAWS} draws (Koehn 2004). One is called "
            "better only where the 95 % interval excludes 0.</p>",
            "<table><tr><th>figure<th>unit<th>A<th>B<th>B - A, 95 %<th>p<th>n<th>better</tr>"
            f"{rows}</table>",
            figure("Differences with 95 % intervals", intervals(scaled)) if scaled else "",
        ],
    )
