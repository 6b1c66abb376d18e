"""What is said of a job where there is no terminal, and at its end."""

from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from server.commands.file_progress import ESTIMATED_S, LINE_S, Lines, clock, print_summary
from server.evaluation.report import Percentiles, Report, Summary


def said(total: float | None, positions: dict[int, float]) -> dict[int, str]:
    """The lines by wall second, of a job asked every second."""
    lines = Lines(total)
    found = {wall: lines.at(wall, done) for wall, done in positions.items()}
    return {wall: line for wall, line in found.items() if line is not None}


@given(speed=st.floats(0.2, 30), wall=st.integers(60, 4000))
def test_lines_are_few_and_each_says_something_new(speed: float, wall: int) -> None:
    found = said(speed * wall, {second: speed * second for second in range(1, wall + 1)})
    assert len(found) <= 32
    at = sorted(found)
    assert all(later - earlier >= LINE_S for earlier, later in zip(at, at[1:], strict=False))
    positions = [line.partition(" ")[0] for line in found.values()]
    assert len(set(positions)) == len(positions)


@given(speed=st.floats(0.2, 30), wall=st.integers(60, 600))
def test_the_time_left_is_right_of_a_steady_job(speed: float, wall: int) -> None:
    found = said(speed * wall, {second: speed * second for second in range(1, wall + 1)})
    for second, line in found.items():
        left = re.search(r"about (\d+):(\d\d) left", line)
        assert (left is None) == (second < ESTIMATED_S)
        if left is not None:
            assert abs(60 * int(left[1]) + int(left[2]) - (wall - second)) <= 1


def test_a_slow_beginning_is_soon_forgotten() -> None:
    """Half a minute in which nothing is done, then ten times real time."""
    found = said(1200.0, {second: max(0.0, 10.0 * (second - 30)) for second in range(1, 151)})
    assert min(found) == 31
    last = max(second for second in found if second <= 100)
    assert f"about {clock(150 - last)} left" in found[last]


def test_a_stream_without_an_end_has_no_time_left() -> None:
    found = said(None, {second: 2.0 * second for second in range(1, 61)})
    assert found and not any("left" in line or " of " in line for line in found.values())


UNKNOWN = (
    "isochrony",
    "tempo_share_above_1_25",
    "first_dub_latency_s",
    "lufs_original",
    "lufs_dub",
)


def told(**counts: int) -> str:
    """The summary of a report with these counts."""
    summary = Summary.model_construct(
        **dict.fromkeys(Summary.model_fields, 0)
        | dict.fromkeys(UNKNOWN)
        | {"onset_error_ms": Percentiles(median=None, p95=None)}
        | counts
    )
    report = Report.model_construct(
        output="talk.pt.mp4", source_language="en", target_language="pt", notes=[], summary=summary
    )
    output = io.StringIO()
    print_summary(report, Console(file=output, width=100))
    return output.getvalue()


def test_the_summary_counts_in_words() -> None:
    said = told(utterances=16, empty=1, on_time=14, late=1, media_s=61, wall_s=20)
    assert "14 of 15 (93%)" in said
    assert said.splitlines()[-1] == (
        "talk.pt.mp4: 1:01 made in 0:20, 14 of 15 utterances dubbed on time."
    )


def test_where_nothing_was_dubbed_there_are_no_figures() -> None:
    said = told()
    assert "None" not in said and "- / - ms" in said and "no speech" in said
