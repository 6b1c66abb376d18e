"""What a data set is like, on one page that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stages.speakers.reference import RATE
from stream.timeline import seconds

if TYPE_CHECKING:
    from server.commands.dataset_records import Census, ClipRecord

_LABELS = {
    "speech": "speech found",
    "others": "other speakers",
    "overlapped": "mixed with others",
    "uncut": "too short, or too long to cut",
    "noisy": "too noisy",
    "wordless": "nothing recognised",
    "kept": "in the set",
}
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}img{max-width:100%}"""


def write_report(
    path: Path, clips: Sequence[ClipRecord], census: Census, evaluation: Collection[str]
) -> None:
    """Write the page.

    Args:
        path: HTML file.
        clips: of the set.
        census: what became of the speech.
        evaluation: names of the clips kept for evaluation.
    """
    rows = "".join(
        f"<tr><td>{_LABELS[name]}<td class=n>{value / 60:.2f}"
        for name, value in asdict(census).items()
    )
    listed = "".join(_row(clip, clip.name in evaluation) for clip in clips)
    peak = max(clip.cleaned.peak for clip in clips)
    kept = sum(clip.cleaned.denoised for clip in clips)
    undone = sum(c.cleaned.speech_lost > 0 and not c.cleaned.denoised for c in clips)
    denoising = (
        f" Denoising was kept in {kept} clips and undone in {undone}, where it would have taken "
        "speech or gained nothing."
        if kept or undone
        else ""
    )
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Data set</title>"
        f"<style>{_STYLE}</style><h1>{len(clips)} clips, {census.kept / 60:.1f} minutes</h1>"
        f"<table><tr><th>speech<th class=n>min{rows}</table>"
        f"<p>Loudest peak {peak:.1f} dBTP.{denoising}</p>"
        f'<img alt="Distributions of length, SNR, similarity and gain" '
        f'src="data:image/png;base64,{_plots(clips)}">'
        "<table><tr><th>clip<th class=n>s<th class=n>SNR, dB<th class=n>similarity<th>set"
        f"<th>source<th>text{listed}</table></html>\n",
        encoding="utf-8",
    )


def _row(clip: ClipRecord, held: bool) -> str:
    start = seconds(clip.interval.start)
    return (
        f"<tr><td><a href=wavs/{clip.name}.wav>{clip.name}</a>"
        f"<td class=n>{len(clip.cleaned.samples) / RATE:.1f}"
        f"<td class=n>{clip.cleaned.snr_before:.0f} → {clip.cleaned.snr_after:.0f}"
        f"<td class=n>{clip.similarity:.2f}<td>{'evaluation' if held else 'training'}"
        f"<td>{html.escape(clip.source.name)} {start:.1f} s<td>{html.escape(clip.text)}"
    )


def _plots(clips: Sequence[ClipRecord]) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    FigureCanvasAgg(figure)
    drawn = (
        ("length, s", [len(clip.cleaned.samples) / RATE for clip in clips], (1, 12)),
        ("signal-to-noise ratio, dB", [clip.cleaned.snr_after for clip in clips], None),
        ("similarity to the reference", [clip.similarity for clip in clips], (0, 1)),
        ("gain, dB", [clip.cleaned.gain for clip in clips], None),
    )
    for axis, (label, values, span) in zip(figure.subplots(2, 2).ravel(), drawn, strict=True):
        axis.hist(values, bins=24, range=span, color="#0072B2")
        axis.set(xlabel=label, ylabel="clips")
        axis.spines[["top", "right"]].set_visible(False)
    image = io.BytesIO()
    figure.savefig(image, dpi=90, format="png")
    return base64.b64encode(image.getvalue()).decode()
