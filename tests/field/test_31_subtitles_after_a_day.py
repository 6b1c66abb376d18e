"""After 26.5 hours, when the clock of MPEG-TS begins again, players showed HLS subtitles a day off;
whichever way a player counts the rounds, a cue must show at its own media time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.hls.cues import ROLLOVER, LiveCues
from stream.timeline import TICK_RATE, Interval

DAY = 24 * 3600


def parsed(text: str) -> tuple[int, float, float]:
    """MPEGTS, LOCAL and the start of the first cue of a segment; the latter in seconds."""
    found = re.search(r"X-TIMESTAMP-MAP=MPEGTS:(\d+),LOCAL:([\d:.]+)\n", text)
    cue = re.search(r"([\d:.]+) --> ", text)
    assert found is not None and cue is not None
    return int(found[1]), clock(found[2]), clock(cue[1])


def clock(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def nearest(mpegts: int, local: float, cue: float, segment: float) -> float:
    """As hls.js: whichever round brings the cue nearest to its segment."""
    time = (cue - local) * 90_000 + mpegts
    return (time + round((segment * 90_000 - time) / ROLLOVER) * ROLLOVER) / 90_000


def counted(mpegts: int, local: float, cue: float, segment: float) -> float:
    """As Shaka: as many rounds as the segment's time has behind it."""
    rounds = int(segment * 90_000 // ROLLOVER)
    return cue - local + (mpegts + rounds * ROLLOVER) / 90_000


def plain(mpegts: int, local: float, cue: float, segment: float) -> float:
    """As a player that knows of no rounds."""
    return cue - local + mpegts / 90_000


def segment_at(start: float) -> str:
    cues, begin = LiveCues(), round(start * TICK_RATE)
    cues.add(Interval(begin + TICK_RATE // 2, begin + 2 * TICK_RATE), "It is said.")
    return cues.segment(Interval(begin, begin + 2 * TICK_RATE))


@given(st.integers(0, 10 * DAY * 50) | st.integers(4_772_100, 4_772_300))
def test_a_cue_shows_at_its_own_time(frames: int) -> None:
    start = frames / 50
    mpegts, local, cue = parsed(segment_at(start))
    assert 0 <= mpegts < ROLLOVER, "33 bits"
    assert cue == pytest.approx(start + 0.5, abs=0.001)
    for player in (nearest, counted):
        assert player(mpegts, local, cue, start) == pytest.approx(cue, abs=0.001)


@pytest.mark.parametrize("start", [0.0, 3600.0, DAY, 26.4 * 3600])
def test_on_the_first_day_players_need_not_count(start: float) -> None:
    assert plain(*parsed(segment_at(start)), start) == pytest.approx(start + 0.5, abs=0.001)


@pytest.mark.parametrize("start", [ROLLOVER / 90_000 + 0.5, 27 * 3600.0, 60 * 3600.0, 8.0 * DAY])
def test_a_map_that_names_the_beginning_for_ever_would_not_do(start: float) -> None:
    _, _, cue = parsed(segment_at(start))
    assert abs(counted(0, 0.0, cue, start) - cue) > DAY
