import math

import numpy as np
import pyloudnorm
import pytest

from stream.sound.loudness import integrated_loudness, match_gain, pooled_loudness, true_peak
from tests.helpers.ffmpeg_meter import ffmpeg_says

RATE = 48_000


def tone(frequency: float, level_db: float, seconds: float, phase: float = 0.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    wave_ = 10 ** (level_db / 20) * np.sin(2 * np.pi * frequency * t + phase)
    return wave_.astype(np.float32)


def test_the_reference_tone_of_ebu_tech_3341():
    stereo = np.stack([tone(1000, -23.0, 20)] * 2, axis=1)
    assert integrated_loudness(stereo, RATE) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
@pytest.mark.parametrize(("seconds", "channels"), [(0.4, 1), (0.76, 5), (2.34, 2)])
def test_any_rate_length_and_channels_are_as_loud_as_to_pyloudnorm(rate, seconds, channels):
    rng = np.random.default_rng(7)
    sound = rng.standard_normal((math.ceil(seconds * rate), channels))
    sound *= np.linspace(0.5, 0.05, len(sound))[:, None]
    expected = pyloudnorm.Meter(rate).integrated_loudness(sound)
    assert integrated_loudness(sound, rate) == pytest.approx(expected, abs=1e-9)


def test_gating_is_that_of_pyloudnorm():
    sound = np.concatenate([tone(500, -20, 3), tone(500, -45, 4), np.zeros(2 * RATE, np.float32)])
    expected = pyloudnorm.Meter(RATE).integrated_loudness(sound)
    assert integrated_loudness(sound, RATE) == pytest.approx(expected, abs=1e-6)


def test_agrees_with_ffmpeg(tmp_path):
    rng = np.random.default_rng(1)
    envelope = np.repeat(10 ** (rng.uniform(-40, -10, 60) / 20), RATE // 10)
    noise = (rng.standard_normal((len(envelope), 2)) * envelope[:, None] / 4).astype(np.float32)
    loudness, peak = ffmpeg_says(noise, tmp_path)
    assert integrated_loudness(noise, RATE) == pytest.approx(loudness, abs=0.15)
    assert true_peak(noise) == pytest.approx(peak, abs=0.3)


def test_a_word_shorter_than_a_block_is_as_loud_as_if_it_went_on():
    assert integrated_loudness(tone(1000, -20, 0.3), RATE) == pytest.approx(
        integrated_loudness(tone(1000, -20, 3), RATE), abs=0.3
    )


def test_silence_has_no_loudness():
    assert integrated_loudness(np.zeros(RATE, np.float32), RATE) == -math.inf
    assert integrated_loudness(np.zeros((0, 2), np.float32), RATE) == -math.inf
    assert integrated_loudness(tone(1000, -80, 1), RATE) == -math.inf


def test_pieces_are_gated_together():
    loud, soft = tone(1000, -20, 2), tone(1000, -50, 2)
    assert pooled_loudness([loud, soft], RATE) == integrated_loudness(loud, RATE)


@pytest.mark.parametrize("phase", [0.0, math.pi / 4])
def test_true_peak_of_a_tone_between_the_samples(phase):
    # At a quarter of the rate and 45 degrees every sample is 3 dB below the peak.
    assert true_peak(tone(RATE / 4, -6, 1, phase)) == pytest.approx(-6, abs=0.3)


def test_true_peak_of_silence_and_of_one_sample():
    assert true_peak(np.zeros((100, 2), np.float32)) == -math.inf
    assert true_peak(np.array([0.5], np.float32)) == pytest.approx(-6.02, abs=0.01)


def test_long_sound_is_measured_across_its_parts():
    sound = np.zeros(200_000, np.float32)
    sound[65_535] = sound[65_536] = 0.5  # 1/2 sample between them is higher than either
    assert true_peak(sound) == pytest.approx(true_peak(sound[65_000:66_000]))


def test_match_gain():
    assert match_gain(-26, -20) == 6
    assert match_gain(-60, -20) == 12
    assert match_gain(-10, -60, lowest_db=-30) == -30
    assert match_gain(-math.inf, -20) == 0
