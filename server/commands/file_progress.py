"""What ``livedub file`` shows while it dubs, and when it has."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from server.evaluation.report import Percentiles, Report, Summary
from stream.timeline import seconds

if TYPE_CHECKING:
    from server.sessions.file import FileSession

LINE_S = 5.0
"""Wall seconds between lines where there is no terminal, at least."""

SPACING = 1.25
"""Each of them comes when so much more time has passed: an hour's job has thirty."""

ESTIMATED_S = 10.0
"""Wall seconds before which nobody knows how long a job takes."""


class Lines:
    """What is said of a job now and then.

    The time left is told by the speed of the later half of the time so far: a job seldom begins as
    it goes on.

    Args:
        total: seconds of media, where that is known.
    """

    def __init__(self, total: float | None) -> None:
        self._total = total
        self._marks = deque([(0.0, 0.0)])
        self._due = LINE_S
        self._said = clock(0)

    def at(self, wall: float, done: float) -> str | None:
        """A line, where one is due and there is something new to say.

        Args:
            wall: seconds since the job began.
            done: seconds of media that are dubbed.
        """
        self._marks.append((wall, done))
        while self._marks[1][0] <= wall / 2:
            self._marks.popleft()
        position = clock(done)
        if wall < self._due or position == self._said:
            return None
        self._said, self._due = position, max(wall + LINE_S, SPACING * wall)
        of = f" of {clock(self._total)}" if self._total else ""
        return f"{position}{of} dubbed, {done / wall:.1f}x{self._left(wall, done)}"

    def _left(self, wall: float, done: float) -> str:
        then, before = self._marks[0]
        if self._total is None or wall < ESTIMATED_S or done <= before:
            return ""
        return f", about {clock((self._total - done) * (wall - then) / (done - before))} left"


async def show_progress(session: FileSession, duration: int | None, console: Console) -> None:
    """A bar on a terminal, a line now and then elsewhere."""
    began = time.monotonic()
    total = seconds(duration) if duration else None
    if not console.is_terminal:
        lines = Lines(total)
        while True:
            await asyncio.sleep(1.0)
            line = lines.at(time.monotonic() - began, seconds(session.position))
            if line is not None:
                console.print(line, highlight=False)
    columns = (
        TextColumn("{task.fields[clock]}"),
        BarColumn(None),
        TextColumn("{task.fields[speed]:.1f}x real time"),
        TextColumn("{task.fields[dubs]} sentences dubbed"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total, clock=clock(0), speed=0.0, dubs=0)
        while True:
            done = seconds(session.position)
            speed = done / max(time.monotonic() - began, 1e-6)
            dubs = sum(job.dub is not None for job in session.jobs)
            progress.update(task, completed=done, clock=clock(done), speed=speed, dubs=dubs)
            await asyncio.sleep(0.2)


def print_summary(report: Report, console: Console) -> None:
    """The run in figures, each with what it says, and in a sentence."""
    summary = report.summary
    table = Table(title=f"{report.source_language} -> {report.target_language}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("")
    spoken = summary.utterances - summary.empty - summary.left
    for row in _rows(summary, spoken):
        table.add_row(*row)
    console.print(table)
    for note in report.notes:
        console.print(f"Note: {note}.", highlight=False, soft_wrap=True)
    name = "Standard output" if report.output == "-" else report.output
    told = f"{summary.on_time} of {spoken} utterances dubbed on time" if spoken else "no speech"
    console.print(
        f"{name}: {clock(summary.media_s)} made in {clock(summary.wall_s)}, {told}.",
        highlight=False,
        soft_wrap=True,
    )


def _rows(summary: Summary, spoken: int) -> list[tuple[str, str, str]]:
    dubbed = spoken - summary.dropped - summary.failed
    fast = summary.tempo_share_above_1_25
    rows = [
        ("dubbed on time", _share(summary.on_time, spoken), "within 80 ms"),
        (
            "late / dropped / failed / cut short",
            f"{summary.late} / {summary.dropped} / {summary.failed} / {summary.truncated}",
            "",
        ),
        (
            "words in doubt",
            _share(summary.doubtful, spoken),
            "misheard, or some missing",
        ),
        *([("left as they are", str(summary.left), "the original is heard")] * bool(summary.left)),
        ("onset error, median / p95", _milliseconds(summary.onset_error_ms), "0 is perfect"),
        ("isochrony", _figure(summary.isochrony), "1 is perfect"),
        (
            "faster than 1.25",
            "-" if fast is None else _share(round(fast * dubbed), dubbed),
            "listeners notice",
        ),
        (
            "loudness, original / dub",
            f"{_figure(summary.lufs_original, 1)} / {_figure(summary.lufs_dub, 1)} LUFS",
            "",
        ),
        ("speed", f"{summary.speed:.1f} x real time", f"after {summary.load_s:.0f} s to load"),
    ]
    if summary.first_dub_latency_s is not None:
        latency = f"{summary.first_dub_latency_s:.2f} s"
        rows.append(("first sound of a dub, median", latency, "after the speaker"))
    return [*rows, ("peak memory", f"{summary.peak_rss_mb:.0f} MB", "")]


def _share(count: int, of: int) -> str:
    return f"{count} of {of} ({count / of:.0%})" if of else "-"


def _figure(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _milliseconds(value: Percentiles) -> str:
    return f"{_figure(value.median, 0)} / {_figure(value.p95, 0)} ms"


def clock(time_: float) -> str:
    """Seconds as people read them: ``4:05`` or ``1:04:05``."""
    minutes, rest = divmod(max(0, math.floor(time_)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
