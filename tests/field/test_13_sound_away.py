"""Sound that was away for more than ten seconds came back out of sync for good; there must be
silence for as long, and then it must be in sync."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.media.source import MediaSource
from tests.helpers.made_sources import Heard, beeping, read
from tests.helpers.streams import ffmpeg

LENGTH = 24


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ts")
    return beeping(folder / "whole.mkv", length=LENGTH)


def without(whole: Path, out: Path, kind: str, begin: float, end: float) -> Path:
    drop = f"noise=drop=gt(tb*pts\\,{begin})*lt(tb*pts\\,{end})"
    cut = out.with_name("cut.mkv")
    ffmpeg("-i", whole, "-c", "copy", f"-bsf:{kind}", drop, cut)
    ffmpeg("-i", cut, "-c", "copy", out)
    return out


def in_sync(heard: Heard, beeps: list[int]) -> None:
    assert heard.beeps == pytest.approx(beeps, abs=0.08)
    assert heard.shown[-1] == pytest.approx(LENGTH - 0.04, abs=0.08)


@pytest.mark.parametrize("suffix", ["ts", "flv", "mkv"])
def test_sound_that_was_away_comes_back_in_sync(whole: Path, tmp_path: Path, suffix: str) -> None:
    path = without(whole, tmp_path / f"a.{suffix}", "a", 3.5, 19.5)
    heard = read(MediaSource(path))
    in_sync(heard, [0, 1, 2, 3, 20, 21, 22, 23])
    assert len(heard.pictures) == LENGTH * 25


@pytest.mark.parametrize("suffix", ["ts", "flv"])
def test_a_picture_that_was_away_comes_back_in_sync(
    whole: Path, tmp_path: Path, suffix: str
) -> None:
    path = without(whole, tmp_path / f"a.{suffix}", "v", 3.5, 19.5)
    heard = read(MediaSource(path))
    in_sync(heard, [*range(LENGTH)])
    gaps = [b - a for a, b in zip(heard.shown, heard.shown[1:], strict=False)]
    assert max(gaps) == pytest.approx(16, abs=0.3)


def test_a_short_absence_is_silence(whole: Path, tmp_path: Path) -> None:
    path = without(whole, tmp_path / "a.ts", "a", 3.5, 6.5)
    in_sync(read(MediaSource(path)), [0, 1, 2, 3, *range(7, LENGTH)])
