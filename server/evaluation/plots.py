"""The plots of an evaluation, as SVG."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from server.evaluation.record import Evaluation, Run
from server.evaluation.waterfall import Steps, quality_lost, time_lost
from stream.frames import Fate

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")


_MOST_WATERFALLS = 6


class Plot(NamedTuple):
    """A picture of the report."""

    name: str
    caption: str
    svg: str


def plots(evaluation: Evaluation) -> list[Plot]:
    """Each plot that there is data for."""
    runs = evaluation.runs
    onsets = _shares(runs, "onset_error", "onset error, ms", 1000)
    offsets = _shares(runs, "offset_error", "offset error, ms", 2000)
    drawn = (
        ("on-time", "Share of dubs on time, against the delay", _on_time(runs)),
        ("quality", "Translation quality against lag", _quality(runs)),
        ("time-lost", "Where the onset delay comes from: mean of late dubs", _time_lost(runs)),
        ("quality-lost", "Where BLEU is lost, from 100 down", _quality_lost(runs)),
        ("onset-error", "Onset error: share of segments within it", onsets),
        ("offset-error", "Offset error: share of segments within it", offsets),
        ("tempo", "Tempo of the dubs", _tempos(runs)),
        ("speaking-rate", "Speaking rate, dub over source, by segment", _rates(runs)),
    )
    return [Plot(name, caption, svg) for name, caption, svg in drawn if svg is not None]


def intervals(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Differences with their confidence intervals, one line each.

    Args:
        rows: title, difference, lower and upper bound, all over one scale.
    """
    figure, axis = _figure(7.0, 0.9 + 0.28 * len(rows))
    for index, (_, middle, low, high) in enumerate(reversed(rows)):
        clear = low > 0 or high < 0
        colour = _COLOURS[0] if clear else "#999999"
        axis.plot([low, high], [index, index], color=colour, linewidth=2)
        axis.plot([middle], [index], "o", color=colour)
    axis.set_yticks(range(len(rows)), [title for title, *_ in reversed(rows)])
    axis.axvline(0, color="#404040", linewidth=0.8)
    axis.set_xlabel("B less A, in percent of A")
    return _svg(figure)


def _on_time(runs: Sequence[Run]) -> str | None:
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for run in runs:
        value = run.values()["on_time"]
        if run.delay is not None and value is not None:
            curves[run.system.split("@")[0]].append((run.delay, value))
    if not curves:
        return None
    figure, axis = _figure()
    for colour, (name, points) in zip(_colours(len(curves)), curves.items(), strict=True):
        xs, ys = zip(*sorted(points), strict=True)
        axis.plot(xs, ys, "o-", color=colour, label=name)
    axis.set(xlabel="playout delay, s", ylabel="on time", ylim=(0, 1.03))
    axis.legend(frameon=False)
    return _svg(figure)


def _quality(runs: Sequence[Run]) -> str | None:
    points = [(run.system, run.values()) for run in runs]
    known = [
        (name, v["stream_laal"], v["chrf"])
        for name, v in points
        if v["stream_laal"] is not None and v["chrf"] is not None
    ]
    if not known:
        return None
    figure, axis = _figure()
    for colour, (name, lag, quality) in zip(_colours(len(known)), known, strict=True):
        axis.plot([lag], [quality], "o", color=colour, label=name)
    axis.set(xlabel="StreamLAAL, s", ylabel="chrF")
    axis.legend(frameon=False)
    return _svg(figure)


def _time_lost(runs: Sequence[Run]) -> str | None:
    falls = [(f"{run.system}, s", time_lost(run, Fate.LATE)[0]) for run in runs]
    return _waterfalls(falls, 0.0)


def _quality_lost(runs: Sequence[Run]) -> str | None:
    return _waterfalls([(f"{run.system}, BLEU", quality_lost(run)) for run in runs], 100.0)


def _waterfalls(falls: Sequence[tuple[str, Steps]], begin: float) -> str | None:
    """A waterfall each: bars that go on where the one before ends, and what is left."""
    falls = [(name, steps) for name, steps in falls if steps][:_MOST_WATERFALLS]
    if not falls:
        return None
    rows = max(len(steps) for _, steps in falls) + 1
    figure, _ = _figure(6.0, len(falls) * (0.8 + 0.22 * rows))
    figure.clear()
    for axis, (name, steps) in zip(
        figure.subplots(len(falls), 1, squeeze=False)[:, 0], falls, strict=True
    ):
        axis.spines[["top", "right"]].set_visible(False)
        at = begin
        for row, (_, value) in enumerate(steps):
            axis.barh(row, value, left=at, color=_COLOURS[3 if value * (0.5 - begin) > 0 else 2])
            at += value
            axis.annotate(f" {value:+.2f}", (max(at, at - value), row), va="center", fontsize=8)
        axis.barh(len(steps), at, color=_COLOURS[6])
        axis.annotate(f" {at:.2f}", (max(at, 0), len(steps)), va="center", fontsize=8)
        axis.set_yticks(range(len(steps) + 1), [*(title for title, _ in steps), "in all"])
        axis.invert_yaxis()
        axis.set_xlabel(name)
    return _svg(figure)


def _shares(runs: Sequence[Run], name: str, label: str, limit: float) -> str | None:
    known = [(run, [v for row in run.rows.get(name, []) for v in row]) for run in runs]
    known = [(run, values) for run, values in known if values]
    if not known:
        return None
    figure, axis = _figure()
    for colour, (run, values) in zip(_colours(len(known)), known, strict=True):
        # Segments without a dub count as never within it.
        total = max(len(values), sum(bool(row) for row in run.rows["isochrony"]))
        shares = np.arange(1, len(values) + 1) / total
        axis.step(np.sort(np.abs(values)), shares, where="post", color=colour, label=run.system)
    axis.set(xlabel=label, ylabel="share of segments", xlim=(0, limit), ylim=(0, 1.03))
    axis.legend(frameon=False)
    return _svg(figure)


def _tempos(runs: Sequence[Run]) -> str | None:
    known = [run for run in runs if run.tempos]
    if not known:
        return None
    figure, axis = _figure()
    tempos = [run.tempos for run in known]
    edges = np.linspace(min(map(min, tempos)) - 0.01, max(map(max, tempos)) + 0.01, 24)
    axis.hist(tempos, edges.tolist(), label=[r.system for r in known], color=_colours(len(known)))
    axis.axvline(1.25, color="#404040", linestyle="--", linewidth=0.8)
    axis.set(xlabel="tempo", ylabel="dubs")
    axis.legend(frameon=False)
    return _svg(figure)


def _rates(runs: Sequence[Run]) -> str | None:
    values = [[v for row in run.rows.get("rate_ratio", []) for v in row] for run in runs]
    known = [(run.system, v) for run, v in zip(runs, values, strict=True) if v]
    if not known:
        return None
    figure, axis = _figure()
    axis.boxplot([v for _, v in known], orientation="horizontal", whis=(5, 95))
    axis.set_yticks(range(1, len(known) + 1), [name for name, _ in known])
    axis.axvline(1, color="#404040", linewidth=0.8)
    axis.set_xlabel("syllables a second, dub over source")
    return _svg(figure)


def _figure(width: float = 6.0, height: float = 3.4) -> tuple[Any, Any]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _colours(count: int) -> list[str]:
    return [_COLOURS[index % len(_COLOURS)] for index in range(count)]
