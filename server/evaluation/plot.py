"""The sync plot: source and dub speech on one time axis, each utterance in its fate's colour."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

from server.evaluation.report import Report
from stages.base import EngineError
from stream.timeline import Interval, seconds

ROW = 30.0
"""Seconds of media in one row."""

MAX_ROWS = 20
"""Longer media gets longer rows."""

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = {
    "on_time": "#009E73",
    "late": "#E69F00",
    "dropped": "#D55E00",
    "failed": "#CC79A7",
    "empty": "#999999",
    "left": "#56B4E9",
}


def require_matplotlib(what: str = "--plot") -> None:
    """Check that plots can be drawn.

    Args:
        what: needs them.

    Raises:
        EngineError: if matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise EngineError(f"{what} needs matplotlib: pip install 'livedub[plot]'")


def draw_sync(
    path: Path, report: Report, source_speech: list[Interval], dub_speech: list[Interval]
) -> None:
    """Draw a run.

    Args:
        path: image to write; its suffix chooses the format.
        report: of the run.
        source_speech: voice activity of the source.
        dub_speech: voice activity of the dub.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    media = max(report.summary.media_s, 1.0)
    rows = min(MAX_ROWS, math.ceil(media / ROW))
    span = media / rows
    figure = Figure(figsize=(14, 1.2 + 1.55 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for row, axis in enumerate(figure.subplots(rows, 1, squeeze=False)[:, 0]):
        start = row * span
        for lane, speech in ((1.0, source_speech), (0.0, dub_speech)):
            bars = [(seconds(i.start), seconds(i.duration)) for i in speech]
            axis.broken_barh(bars, (lane + 0.08, 0.5), color="#404040")
        for utterance in report.utterances:
            colour = COLOURS.get(str(utterance.fate), "#FFFFFF")
            begin, end = utterance.slot
            axis.broken_barh([(begin, end - begin)], (1.62, 0.2), color=colour)
            if utterance.doubts:
                axis.text((begin + end) / 2, 1.6, "?", fontsize=9, ha="center", va="top")
            if utterance.dub is not None:
                axis.broken_barh(
                    [(utterance.dub[0], utterance.dub[1] - utterance.dub[0])],
                    (0.62, 0.2),
                    color=colour,
                )
                axis.plot([begin, utterance.dub[0]], [1.05, 0.85], color=colour, linewidth=1.5)
            else:
                axis.text(begin, 0.3, str(utterance.fate or "-"), fontsize=8, color=colour)
        axis.set(xlim=(start, start + span), ylim=(-0.05, 1.9))
        axis.set_yticks([0.4, 1.4], ["dub", "source"])
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axis.set_xlabel("media time, s")
    summary = report.summary
    onset = summary.onset_error_ms
    figure.suptitle(
        f"{report.source_language} to {report.target_language}: "
        f"{summary.on_time} of {summary.utterances} utterances on time, "
        f"{summary.doubtful} doubtful (?), isochrony {summary.isochrony}, "
        f"onset error p95 {onset.p95} ms"
    )
    seen = {str(utterance.fate) for utterance in report.utterances}
    handles = [
        Patch(color=c, label=fate.replace("_", " ")) for fate, c in COLOURS.items() if fate in seen
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False)
    figure.savefig(path, dpi=110)
