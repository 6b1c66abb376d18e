import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.sound.tempo import change_tempo

Samples = NDArray[np.float32]
TEMPOS = (0.5, 0.85, 0.9, 1.1, 1.25, 1.4, 2.0)


def buzz(hertz: float, seconds: float, rate: int) -> Samples:
    """A harmonic tone like a voice's: all harmonics to 4 kHz, each weaker than the last."""
    t = np.arange(round(seconds * rate)) / rate
    parts = [np.sin(2 * np.pi * k * hertz * t) / k for k in range(1, int(4000 / hertz) + 1)]
    return np.asarray(0.3 * np.sum(parts, axis=0), np.float32)


def pitches(samples: Samples, rate: int, *near: float) -> list[float]:
    """Frequency of the strongest part within a semitone of each of ``near``, Hz."""
    size = 1 << 20
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    found = []
    for hertz in near:
        low, high = (round(hertz * 2 ** (way / 12) * size / rate) for way in (-1, 1))
        found.append(float(low + spectrum[low:high].argmax()) * rate / size)
    return found


@given(
    length=st.integers(0, 30_000),
    tempo=st.floats(0.5, 2),
    rate=st.sampled_from([24000, 48000]),
    lead=st.integers(0, 5_000),
    seed=st.integers(0, 9),
)
def test_length_is_exact(length: int, tempo: float, rate: int, lead: int, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)
    samples[:lead] = 0
    out = change_tempo(samples, rate, tempo)
    assert out.shape == (round(length / tempo),)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert np.abs(out).max(initial=0) <= 1.001


@pytest.mark.parametrize("rate", [24000, 48000])
@pytest.mark.parametrize("hertz", [90.0, 150.0, 233.0])
@pytest.mark.parametrize("tempo", TEMPOS)
def test_pitch_is_kept_within_10_cents(tempo: float, hertz: float, rate: int) -> None:
    out = change_tempo(buzz(hertz, 2.0, rate), rate, tempo)
    wanted = [harmonic * hertz for harmonic in (1, 2, 5)]
    cents = 1200 * np.log2(np.array(pitches(out, rate, *wanted)) / wanted)
    assert np.abs(cents).max() < 10


@pytest.mark.parametrize("tempo", TEMPOS)
def test_level_is_kept(tempo: float) -> None:
    tone = buzz(120, 2.0, 48000)
    out = change_tempo(tone, 48000, tempo)[4800:-4800]
    assert np.sqrt(np.mean(out**2)) == pytest.approx(np.sqrt(np.mean(tone**2)), rel=0.05)


@given(
    tempo=st.floats(0.5, 2),
    lead=st.floats(0, 1),
    hiss=st.sampled_from([0.0, 1e-4]),
    rate=st.sampled_from([24000, 48000]),
)
def test_onset_keeps_its_place(tempo: float, lead: float, hiss: float, rate: int) -> None:
    tone = buzz(130, 1.0, rate)
    before = round(lead * rate)
    samples = np.concatenate([np.zeros(before, np.float32), tone])
    samples += np.random.default_rng(0).uniform(-hiss, hiss, len(samples)).astype(np.float32)
    out = change_tempo(samples, rate, tempo)
    onset = int(np.argmax(np.abs(out) > 0.05))
    assert abs(onset / rate - before / rate / tempo) < 0.001


@pytest.mark.parametrize("tempo", TEMPOS)
def test_words_stay_near_their_times(tempo: float) -> None:
    rate = 48000
    samples = np.zeros(3 * rate, np.float32)
    for start in (0.3, 1.2, 2.1):
        word = buzz(110, 0.4, rate)
        samples[round(start * rate) :][: len(word)] = word * np.hanning(len(word))
    out = change_tempo(samples, rate, tempo)
    for start in (0.3, 1.2, 2.1):
        part = slice(round((start - 0.2) / tempo * rate), round((start + 0.6) / tempo * rate))
        power = out[part].astype(np.float64) ** 2
        centre = float((power * np.arange(len(power))).sum() / power.sum()) / rate
        assert abs(centre - 0.4 / tempo) < 0.025


@pytest.mark.parametrize("tempo", TEMPOS)
@pytest.mark.parametrize("length", [0, 1, 1000, 48000])
def test_silence_stays_silent(length: int, tempo: float) -> None:
    out = change_tempo(np.zeros(length, np.float32), 48000, tempo)
    assert out.shape == (round(length / tempo),)
    assert not out.any()


def test_no_change_returns_the_input() -> None:
    samples = buzz(100, 0.1, 24000)
    assert change_tempo(samples, 24000, 1.0) is samples


def test_the_input_is_left_alone() -> None:
    samples = buzz(100, 0.3, 24000)
    copy = samples.copy()
    change_tempo(samples, 24000, 1.3)
    assert np.array_equal(samples, copy)


@pytest.mark.parametrize("tempo", [0.0, 0.49, 2.01, -1.0, float("nan"), float("inf")])
def test_tempo_out_of_range_is_refused(tempo: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"between 0.5 and 2, got {tempo}")):
        change_tempo(np.zeros(10, np.float32), 48000, tempo)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("tempo", [1.0, 1.2])
def test_input_that_is_not_finite_is_refused(bad: float, tempo: float) -> None:
    samples = np.zeros(10, np.float32)
    samples[3] = bad
    with pytest.raises(ValueError, match="finite"):
        change_tempo(samples, 48000, tempo)


@pytest.mark.parametrize("shape", [(), (1, 10), (10, 2)])
def test_input_that_is_not_mono_is_refused(shape: Any) -> None:
    with pytest.raises(ValueError, match="mono"):
        change_tempo(np.zeros(shape, np.float32), 48000, 1.2)
