"""Where time and quality go, cause by cause: together they are all of it."""

from __future__ import annotations

from html import escape

import numpy as np
from rich.table import Table

from server.evaluation.metrics import METRICS, shown
from server.evaluation.record import Evaluation, Onset, Run
from server.evaluation.score import LOSSES
from stream.dub.course import Cause
from stream.frames import Fate

Steps = list[tuple[str, float]]
"""What each cause adds, in order."""

FATES = (Fate.ON_TIME, Fate.LATE, Fate.DROPPED)


def time_lost(run: Run, fate: Fate) -> tuple[Steps, int]:
    """Mean seconds by cause of the utterances of one fate at live pace, and their number.

    They add up to the mean onset delay or, of what was dropped, to how long after its time it was
    given up.
    """
    mine = [each for each in run.onsets if each.fate is fate and _live(each)]
    steps = [(str(c), float(np.mean([e.causes.get(c, 0.0) for e in mine]))) for c in Cause if mine]
    return steps, len(mine)


def quality_lost(run: Run) -> Steps:
    """Points of BLEU by cause, from 100 down to the run's own; empty without references."""
    values = [(METRICS[name].title.removeprefix("lost: "), run.value(name)) for name in LOSSES]
    known = [(name, -value) for name, value in values if value is not None]
    return known if len(known) == len(values) else []


def table(evaluation: Evaluation) -> Table | None:
    """Where the time goes of every system at live pace; ``None`` if there is none."""
    columns = _columns(evaluation)
    if not columns:
        return None
    made = Table(title="where the onset delay comes from, mean s")
    made.add_column("cause")
    for heading in columns:
        made.add_column(heading, justify="right")
    for row in _rows(columns):
        made.add_row(*row)
    return made


def section(evaluation: Evaluation) -> str:
    """The same for the page."""
    columns = _columns(evaluation)
    if not columns:
        return ""
    heads = "".join(f"<th>{escape(heading)}" for heading in ("cause", *columns))
    lines = [
        f"<tr><td>{escape(cause)}" + "".join(f'<td class="n">{value}' for value in values) + "</tr>"
        for cause, *values in _rows(columns)
    ]
    return (
        "<h2>Where the onset delay comes from</h2><p>Mean seconds; the causes add up to the delay."
        f"</p><table><tr>{heads}</tr>{''.join(lines)}</table>"
    )


def _columns(evaluation: Evaluation) -> dict[str, Steps]:
    """By what stands above them."""
    found: dict[str, Steps] = {}
    for run in evaluation.runs:
        for fate in FATES:
            steps, count = time_lost(run, fate)
            if count:
                found[f"{run.system}, {count} {fate.replace('_', ' ')}"] = steps
    return found


def _rows(columns: dict[str, Steps]) -> list[list[str]]:
    rows = [[str(cause)] for cause in Cause] + [["onset delay"]]
    for steps in columns.values():
        values = [value for _, value in steps]
        for row, value in zip(rows, [*values, sum(values)], strict=True):
            row.append(shown(value))
    return rows


def _live(onset: Onset) -> bool:
    return Cause.DELAY in onset.causes
