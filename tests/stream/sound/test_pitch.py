"""How high a made-up voice speaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from stages.tts.espeak.library import speak
from stream.frames import SPEECH_RATE, Samples
from stream.sound.pitch import HIGHEST_HZ, LONGEST_S, LOWEST_HZ, register_of, semitones
from stream.sound.resample import resample


def voice(hz: Samples | float, seconds: float, seed: int = 0, limp: float = 0.0) -> Samples:
    """Glottal pulses through formants of 500 and 1500 Hz; every other pulse weaker by ``limp``."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE
    cycles = np.cumsum(np.broadcast_to(hz, time.shape) / SPEECH_RATE).astype(int)
    pulses = np.diff(cycles, prepend=0) * (1 - limp * (cycles % 2))
    sound = pulses + 0.01 * rng.standard_normal(len(time))
    for formant in (500, 1500):
        radius, angle = 0.96, 2 * np.pi * formant / SPEECH_RATE
        sound = lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], sound)
    return (0.1 * sound / np.abs(sound).max()).astype(np.float32)


@given(st.floats(70, 400), st.integers(0, 9), st.floats(0, 0.25))
def test_a_pitch_is_found_though_every_other_pulse_is_weaker(hz, seed, limp) -> None:
    found = register_of(voice(hz, 0.6, seed, limp))
    assert found is not None and abs(semitones(found.hz, hz)) < 0.6
    assert 0.3 < found.voiced_s < 0.7


@given(st.floats(90, 220), st.floats(0.5, 2.0), st.integers(0, 9))
def test_octave_errors_of_some_frames_do_not_move_it(hz, factor, seed) -> None:
    """A fifth of the time something else repeats, an octave off at most."""
    sound = np.concatenate([voice(hz, 0.8, seed), voice(hz * factor, 0.2, seed)])
    found = register_of(sound)
    assert found is not None and abs(semitones(found.hz, hz)) < 1


def test_it_is_the_median_of_what_is_spoken_and_not_of_pauses() -> None:
    glide = np.geomspace(100, 144, SPEECH_RATE)
    pause = np.random.default_rng(0).normal(0, 1e-4, SPEECH_RATE).astype(np.float32)
    found = register_of(np.concatenate([pause, voice(glide, 1.0), pause]))
    assert found is not None and abs(semitones(found.hz, 120)) < 1
    assert found.voiced_s < 1.2


@pytest.mark.parametrize("level", [0.0, 0.1])
def test_without_a_voice_there_is_no_register(level: float) -> None:
    noise = np.random.default_rng(0).normal(0, level, SPEECH_RATE).astype(np.float32)
    found = register_of(noise)
    assert found is None or found.voiced_s < 0.2


def test_whatever_comes_is_answered() -> None:
    for sound in (np.zeros(0), np.zeros(100), np.full(5000, np.nan), np.ones(5000)):
        assert register_of(sound.astype(np.float32)) is None
    long = register_of(voice(200, LONGEST_S + 2))
    assert long is not None and long.voiced_s <= LONGEST_S
    assert LOWEST_HZ < 70 and HIGHEST_HZ > 400


@pytest.mark.parametrize(("variant", "hz"), [("m3", 103), ("f2", 195), ("Annie", 240)])
def test_the_register_of_a_synthetic_speaker_over_noise(variant: str, hz: int) -> None:
    """As Praat has it, within a semitone, with noise 10 dB below the speech."""
    said = resample(speak("The trip takes about eleven minutes.", f"en-us+{variant}", 170),
                    22_050, SPEECH_RATE)  # fmt: skip
    noise = np.random.default_rng(0).standard_normal(len(said)) * said.std() * 10**-0.5
    found = register_of((said + noise).astype(np.float32))
    assert found is not None and abs(semitones(found.hz, hz)) < 1
