"""Subtitles that somebody else wrote, read: SubRip and WebVTT.

What players let pass is refused with its line, since every word of it would be spoken.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from stream.errors import UserError
from stream.media.webvtt import Cue
from stream.timeline import TICK_RATE, Interval

_ARROW = "-->"
_TIME = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})")
_ASIDE = ("NOTE", "STYLE", "REGION")
"""Blocks of WebVTT that hold no text to show."""

# Tags of either format, and positions as SubRip inherited them from SubStation Alpha.
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_SOUNDS = re.compile(r"\[[^\[\]]*\]|♪[^♪\n]*♪?|^\([^()]*\)$", re.MULTILINE)
"""What is described and not said: [applause], (a door closes), sung words between notes."""
_DASH = re.compile(r"^\s*[-‐–—]\s*", re.MULTILINE)
"""Before what each of two people says."""


class SubtitlesError(UserError):
    """A file is not what subtitles must be; the message names the line."""


def read_cues(path: Path) -> list[Cue]:
    """The texts of a SubRip or WebVTT file and when each shows, sorted; markup is left out.

    Raises:
        SubtitlesError: if it cannot be read, or is malformed.
    """
    lines = _decoded(path).splitlines()
    if not any(map(str.strip, lines)):
        raise SubtitlesError(f"{path} is empty: subtitles are SubRip (.srt) or WebVTT (.vtt)")
    webvtt = lines[0].startswith("WEBVTT")
    cues = []
    for first, block in _blocks(lines):
        if webvtt and (first == 1 or block[0].split(" ")[0] in _ASIDE):
            continue
        try:
            cue = _cue(first, block)
        except ValueError as error:
            raise SubtitlesError(f"{path}, {error}") from None
        if cue.text:
            cues.append(cue)
    if not cues:
        raise SubtitlesError(f"{path} holds no text that is spoken")
    return sorted(cues, key=lambda cue: cue.time)


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SubtitlesError(f"{path} cannot be read: {error.strerror or error}") from None
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SubtitlesError(
            f"{path}, line {line}: this is not UTF-8; save the subtitles as UTF-8"
        ) from None


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Lines without a blank one between them, and the number of the first, from 1."""
    block: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            block.append(line.strip())
        elif block:
            yield number - len(block), block
            block = []


def _cue(first: int, block: list[str]) -> Cue:
    """A block as a cue; raises ``ValueError`` with the line and what is wrong there."""
    at = next((index for index, line in enumerate(block[:2]) if _ARROW in line), None)
    if at is None:
        raise ValueError(
            f"line {first}: times such as 00:00:01,000 --> 00:00:02,500 are missing before "
            f"'{_shown(block[0])}'"
        )
    start, end = map(str.strip, block[at].split(_ARROW, 1))
    times = []
    for written in (start, *end.split()[:1]):
        if (match := _TIME.fullmatch(written)) is None:
            raise ValueError(
                f"line {first + at}: '{_shown(written)}' is no time: write 00:00:01,000"
            )
        hours, minutes, seconds, fraction = match.groups()
        whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
        times.append(whole * TICK_RATE + int(fraction.ljust(3, "0")) * TICK_RATE // 1000)
    if len(times) < 2 or times[1] <= times[0]:
        raise ValueError(f"line {first + at}: the text must end after it begins")
    return Cue(Interval(*times), _spoken("\n".join(block[at + 1 :])))


def _spoken(text: str) -> str:
    plain = html.unescape(_MARKUP.sub("", text)).replace("\xa0", " ")
    return " ".join(_DASH.sub("", _SOUNDS.sub("", plain)).split())


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
