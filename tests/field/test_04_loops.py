"""Of a loop whose rounds all begin at the same times only the first was heard; a channel that
repeats itself, or an advertisement whose clock is set back, must go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.sessions.sources import Pull
from stream.media.source import MediaSource
from tests.helpers.made_sources import Heard, beeping, read
from tests.helpers.served_folder import playlist, served


def check(heard: Heard, seconds: list[float]) -> None:
    """Every part is seen and heard, and in sync."""
    total = sum(seconds)
    assert heard.length == pytest.approx(total, abs=0.12 * len(seconds))
    assert len(heard.pictures) == total * 25
    begins = [sum(seconds[:n]) for n in range(len(seconds))]
    expected = [b + n for b, s in zip(begins, seconds, strict=True) for n in range(int(s))]
    assert heard.beeps == pytest.approx(expected, abs=0.12 * len(seconds))
    shown = [min(heard.shown, key=lambda one: abs(one - beep)) for beep in heard.beeps]
    assert [beep - at for beep, at in zip(heard.beeps, shown, strict=True)] == pytest.approx(
        [0] * len(shown), abs=0.06
    )


@pytest.mark.parametrize("suffix", ["ts", "flv"])
def test_parts_in_one_file_go_on(tmp_path: Path, suffix: str) -> None:
    part = beeping(tmp_path / f"a.{suffix}").read_bytes()
    whole = tmp_path / f"whole.{suffix}"
    whole.write_bytes(part + (part[13:] if suffix == "flv" else part) * 2)
    check(read(MediaSource(whole)), [3, 3, 3])


def test_a_looped_playlist_goes_on(tmp_path: Path) -> None:
    beeping(tmp_path / "a.ts")
    (tmp_path / "a.m3u8").write_text(playlist(*["a.ts"] * 4, seconds=3, discontinuous=True))
    with served(tmp_path) as here:
        check(read(Pull(f"{here.url}/a.m3u8").open()), [3, 3, 3, 3])


def test_an_advertisement_with_an_earlier_clock_goes_on(tmp_path: Path) -> None:
    programme = beeping(tmp_path / "a.ts", "-output_ts_offset", "6").read_bytes()
    advertisement = beeping(tmp_path / "b.ts", length=2).read_bytes()
    after = beeping(tmp_path / "c.ts", "-output_ts_offset", "9").read_bytes()
    whole = tmp_path / "whole.ts"
    whole.write_bytes(programme + advertisement + after)
    heard = read(MediaSource(whole))
    # Back to the programme's clock is a step ahead of 7 s, which may as well be a gap.
    assert heard.beeps[:5] == pytest.approx([0, 1, 2, 3, 4], abs=0.3)
    assert len(heard.beeps) == 8
    assert len(heard.pictures) == 200
