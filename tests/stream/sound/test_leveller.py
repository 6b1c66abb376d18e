"""What models are given of quiet sound, and that nothing else is changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import Samples
from stream.sound.leveller import CEILING_DB, ENOUGH_DBFS, Leveller, raised

WINDOW = 512


def noise(dbfs: float, windows: int = 40) -> Samples:
    sound = np.random.default_rng(0).normal(0, 10 ** (dbfs / 20), windows * WINDOW)
    return sound.astype(np.float32)


def level(sound: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64))))


def test_what_is_loud_enough_stays_as_it_is() -> None:
    sound = noise(ENOUGH_DBFS + 3)
    assert Leveller(WINDOW).raised(sound) is sound
    assert raised(sound) is sound


@pytest.mark.parametrize("dbfs", [-50.0, -65.0])
def test_quiet_sound_is_raised_slowly_to_what_is_enough(dbfs: float) -> None:
    sound = noise(dbfs, 300)  # 9.6 s
    out = Leveller(WINDOW).raised(sound)
    assert level(out[: 20 * WINDOW]) < dbfs + 5
    assert level(out[-20 * WINDOW :]) == pytest.approx(ENOUGH_DBFS, abs=1.0)
    assert level(raised(sound)) == pytest.approx(ENOUGH_DBFS, abs=1.0)


def test_no_gain_is_above_the_ceiling() -> None:
    sound = noise(-90.0, 600)
    assert level(Leveller(WINDOW).raised(sound)[-WINDOW:]) < -90 + CEILING_DB + 1
    assert level(raised(sound)) == pytest.approx(-90 + CEILING_DB, abs=0.1)


def test_loud_speech_after_silence_is_not_clipped() -> None:
    leveller = Leveller(WINDOW)
    leveller.raised(noise(-90.0, 600))
    loud = noise(-15.0)
    assert leveller.raised(loud) is loud


@given(st.lists(st.integers(0, 40), max_size=6))
def test_it_does_not_matter_in_which_pieces_it_comes(cuts: list[int]) -> None:
    sound = np.concatenate([noise(-70.0), noise(-20.0), noise(-60.0)])
    whole = Leveller(WINDOW).raised(sound)
    leveller = Leveller(WINDOW)
    parts = np.split(sound, [cut * WINDOW for cut in sorted(cuts)])
    assert np.array_equal(np.concatenate([leveller.raised(part) for part in parts]), whole)


@pytest.mark.parametrize("samples", [0, 100, WINDOW + 1])
def test_silence_and_scraps_are_left_alone(samples: int) -> None:
    nothing = np.zeros(samples, np.float32)
    assert raised(nothing) is nothing
