"""Subtitles as WebVTT (W3C, https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stream.timeline import TICK_RATE, Interval, ticks

LINE = 42
"""Characters in a line; the usual limit for subtitles in Latin script."""

READING_SPEED = 17.0
"""Characters per second that a viewer reads with ease."""

_MILLISECOND = TICK_RATE // 1000
_CLAUSE_ENDS = ".,;:!?…—、。，！？"


@dataclass(frozen=True, slots=True)
class Cue:
    """Text and when it shows."""

    time: Interval
    text: str


def render(cues: Iterable[Cue]) -> str:
    """A whole WebVTT file, its cues arranged for reading; see `arrange`."""
    blocks = ["WEBVTT"]
    for cue in arrange(cues):
        start, end = (timestamp(time) for time in (cue.time.start, cue.time.end))
        blocks.append(f"{start} --> {end}\n{escape(cue.text)}")
    return "\n\n".join(blocks) + "\n"


def write(path: Path, cues: Iterable[Cue]) -> None:
    """Write `render`'s text as UTF-8, which WebVTT requires."""
    path.write_text(render(cues), encoding="utf-8", newline="\n")


def arrange(cues: Iterable[Cue], *, longest_hold: float = 1.5) -> list[Cue]:
    """Cues that can be read: in order, one at a time, two lines at most.

    A longer text becomes several cues that share its time in proportion to their length.
    A cue that would be gone before it is read stays into the pause that follows it. Cues
    start in order and never overlap; those without text are left out.

    Args:
        cues: in any order.
        longest_hold: seconds that a cue may stay beyond its own end.
    """
    parts = [part for cue in sorted(cues, key=lambda c: c.time) for part in _split(cue)]
    arranged: list[Cue] = []
    earliest = 0
    for index, part in enumerate(parts):
        start = max(_whole_milliseconds(part.time.start), earliest)
        read = start + ticks(len(part.text) / READING_SPEED)
        end = max(part.time.end, min(read, part.time.end + ticks(longest_hold)))
        if index + 1 < len(parts):
            end = min(end, parts[index + 1].time.start)
        earliest = max(_whole_milliseconds(end), start + _MILLISECOND)  # a cue must not be empty
        arranged.append(Cue(Interval(start, earliest), _broken(part.text)))
    return arranged


def timestamp(time: int) -> str:
    """Media time as ``hh:mm:ss.ttt``; ticks are rounded to milliseconds."""
    total = _whole_milliseconds(time) // _MILLISECOND
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def escape(text: str) -> str:
    """Text as cue payload: no markup, and so no ``-->`` either."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _whole_milliseconds(time: int) -> int:
    return (time + _MILLISECOND // 2) // _MILLISECOND * _MILLISECOND


def _split(cue: Cue) -> Iterator[Cue]:
    pieces = list(_pieces(" ".join(cue.text.split())))
    total = sum(len(piece) for piece in pieces)
    done = 0
    for piece in pieces:
        start = cue.time.start + cue.time.duration * done // total
        done += len(piece)
        yield Cue(Interval(start, cue.time.start + cue.time.duration * done // total), piece)


def _pieces(text: str) -> Iterator[str]:
    """Split until each piece fits two lines, near the middle and best after a clause."""
    if len(textwrap.wrap(text, LINE)) > 2:
        for half in _halves(text):
            yield from _pieces(half)
    elif text:
        yield text


def _broken(text: str) -> str:
    """Break into two lines of about equal length if one is not enough."""
    if len(text) <= LINE:
        return text
    halves = _halves(text)
    lines = halves if max(map(len, halves)) <= LINE else textwrap.wrap(text, LINE)
    return "\n".join(lines)


def _halves(text: str) -> tuple[str, str]:
    spaces = [at for at, character in enumerate(text) if character == " "]
    if not spaces:
        return text[: len(text) // 2], text[len(text) // 2 :]

    def cost(at: int) -> float:
        clause = 0.15 * len(text) if text[at - 1] in _CLAUSE_ENDS else 0.0
        return abs(at - len(text) / 2) - clause

    best = min(spaces, key=cost)
    return text[:best], text[best + 1 :]
