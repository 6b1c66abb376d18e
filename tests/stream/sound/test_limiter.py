import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import filtfilt, firwin

from stream.sound.limiter import Limiter
from stream.sound.loudness import true_peak
from tests.helpers.examples import examples
from tests.helpers.ffmpeg_meter import ffmpeg_says

RATE = 48_000
CEILING = 10 ** (-1 / 20)


def run(sound, sizes=(960,), **options):
    """The whole stream limited in blocks of the given sizes (repeated), latency removed."""
    limiter = Limiter(sound.shape[1], **options)
    out, at, turn = [], 0, 0
    while at < len(sound):
        block = sound[at : at + sizes[turn % len(sizes)]]
        out.append(limiter.process(block))
        assert out[-1].shape == block.shape and out[-1].dtype == np.float32
        at, turn = at + len(block), turn + 1
    out.append(limiter.flush())
    return np.concatenate(out)[limiter.latency :]


def bursts(seed, seconds=1.0, level=4.0, channels=2):
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    sound = rng.standard_normal((n, channels)) * 0.2
    for start in rng.integers(0, n, 12):
        sound[start : start + rng.integers(1, 400)] *= level * rng.uniform(1, 5)
    return sound.astype(np.float32)


def hostile():
    t = np.arange(RATE)
    rng = np.random.default_rng(0)
    click = np.zeros(RATE)
    click[rng.integers(0, RATE, 40)] = rng.choice([-8, 8], 40)
    step = np.where(t < RATE // 2, 0.01, 1.0) * np.sin(2 * np.pi * 997 * t / RATE) * 10
    return {
        "square": 3 * np.sign(np.sin(2 * np.pi * 441 * t / RATE)),
        "quarter rate, 45 degrees": 1.4 * np.sin(np.pi / 2 * t + np.pi / 4),
        "clicks": click,
        "noise": rng.standard_normal(RATE),
        "sudden": step,
        "pairs": np.where((t // 2) % 2, 2.0, -2.0) * (rng.random(RATE) < 0.5),
        "sweep": 2 * np.sin(2 * np.pi * (20 + t / RATE * 11_000) * t / RATE),
        "bursts": bursts(1, channels=1)[:, 0],
        "full scale alternation": np.where(t % 2, 1.0, -1.0) * (t % 4801 > 9),
    }


@pytest.mark.parametrize("name", hostile())
def test_true_peak_stays_under_the_ceiling(name):
    sound = hostile()[name].astype(np.float32)[:, None]
    out = run(sound)
    assert true_peak(out) <= -1.0
    assert np.abs(out).max() > 0.5 * min(CEILING, np.abs(sound).max())  # and not far under


def test_another_true_peak_meter_agrees(tmp_path):
    """FFmpeg's longer interpolator, on sound with nothing above 18 kHz."""
    low_pass = firwin(301, 18_000, fs=RATE)
    for seed in range(3):
        sound = filtfilt(low_pass, [1.0], bursts(seed), axis=0).astype(np.float32)
        assert ffmpeg_says(run(sound), tmp_path)[1] <= -1.0


def test_sound_under_the_ceiling_comes_back_bit_for_bit():
    t = np.arange(RATE) / RATE
    sound = (0.88 * np.sin(2 * np.pi * 300 * t)).astype(np.float32)[:, None].repeat(2, axis=1)
    assert np.array_equal(run(sound), sound)


def test_gain_returns_to_exactly_one():
    sound = np.full((4 * RATE, 1), 0.25, np.float32)
    sound[1000:1100] = 4.0
    out = run(sound)
    assert out[1050, 0] <= CEILING
    assert np.array_equal(out[3 * RATE :], sound[3 * RATE :])


@examples(0.5)
@given(st.integers(0, 1000), st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_any_chunking_equals_the_whole(seed, sizes):
    sound = bursts(seed, 0.15)
    np.testing.assert_allclose(run(sound, sizes), run(sound, (len(sound),)), atol=2e-6)


def test_channels_share_one_gain():
    sound = bursts(3)
    sound[:, 1] = sound[:, 0] * 0.25
    out = run(sound)
    np.testing.assert_allclose(out[:, 1], out[:, 0] * 0.25, atol=1e-6)


def test_gain_moves_without_a_click():
    """A low tone that jumps by 20 dB: the limiter adds nothing above it."""
    t = np.arange(2 * RATE) / RATE
    ramp = np.interp(t, [0.9, 0.95], [0.3, 3.0])
    out = run((ramp * np.sin(2 * np.pi * 100 * t)).astype(np.float32)[:, None])[:, 0]
    jump = np.abs(np.diff(out, 2)).max()
    assert jump < 1.5 * CEILING * (2 * np.pi * 100 / RATE) ** 2 + 1e-3


def test_blocks_of_any_length_and_a_reset_by_flush():
    limiter = Limiter(2)
    assert limiter.process(np.zeros((0, 2), np.float32)).shape == (0, 2)
    sound = bursts(5)
    first = np.concatenate([limiter.process(sound), limiter.flush()])
    again = np.concatenate([limiter.process(sound), limiter.flush()])
    assert np.array_equal(first, again)


def test_a_stereo_block_costs_little():
    sound = bursts(7, 4.0)
    limiter = Limiter(2)
    took = []
    for at in range(0, len(sound), 960):
        began = time.perf_counter()
        limiter.process(sound[at : at + 960])
        took.append(time.perf_counter() - began)
    assert np.median(took) < 1e-3  # 0.1 ms on an idle core; the rest is room for a busy one
