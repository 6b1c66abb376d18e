from pathlib import Path

import numpy as np
import pytest

from stages.asr.denoised import DenoisedRecogniser
from stages.base import EngineError
from stages.speakers.reference import RATE, score
from stages.training.cleaning import CEILING_DBTP, LOUDNESS_LUFS, clean, speech_lost
from stages.tts.espeak.library import speak
from stream.frames import SPEECH_RATE, Samples, Transcript
from stream.sound.denoise import afftdn
from stream.sound.loudness import integrated_loudness


@pytest.fixture(scope="module")
def voice() -> Samples:
    text = "The trip itself takes about eleven minutes. Please keep your bags with you."
    return speak(text, "en-us", 170)


def noisy(clip: Samples, level: float) -> Samples:
    noise = np.random.default_rng(0).standard_normal(len(clip)) * level
    return (clip + noise).astype(np.float32)


@pytest.mark.parametrize("rate", [SPEECH_RATE, RATE])
def test_denoising_takes_noise_and_moves_nothing(rate: int) -> None:
    time = np.arange(rate // 2) / rate
    burst = 0.4 * np.sin(2 * np.pi * 300 * time) * np.hanning(len(time))
    clip = np.concatenate([np.zeros(rate), burst, np.zeros(rate), burst]).astype(np.float32)
    quieter = afftdn(noisy(clip, 0.01), rate)
    assert len(quieter) == len(clip)
    assert np.std(quieter[: rate // 2]) < 0.005
    lag = int(np.argmax(np.correlate(quieter, clip, "full"))) - len(clip) + 1
    assert abs(lag) <= 2
    assert np.std(quieter[-rate // 4 :]) > 0.5 * np.std(clip[-rate // 4 :])


def test_every_clip_has_one_loudness_and_no_peak_passes_the_ceiling(voice: Samples) -> None:
    cleaned = clean(voice * 0.1)
    assert integrated_loudness(cleaned.samples, RATE) == pytest.approx(LOUDNESS_LUFS, abs=0.2)
    spiky = voice * 0.1
    spiky[1000] = 0.9
    assert clean(spiky).peak <= CEILING_DBTP + 0.01


def test_denoising_is_kept_where_it_helps_and_undone_where_it_harms(
    voice: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    helped = clean(noisy(voice, 0.004), denoise=True)
    assert helped.denoised and helped.snr_after > helped.snr_before + 3
    assert helped.speech_lost <= 0.02

    def greedy(clip: Samples, rate: int) -> Samples:
        return np.where(np.abs(clip) > 0.1, clip, 0).astype(np.float32)

    monkeypatch.setattr("stages.training.cleaning.afftdn", greedy)
    harmed = clean(noisy(voice, 0.004), denoise=True)
    assert not harmed.denoised and harmed.speech_lost > 0.02
    assert score(harmed.samples).snr == pytest.approx(harmed.snr_before, abs=0.5)


def test_speech_that_is_lost_is_counted(voice: Samples) -> None:
    assert speech_lost(voice, voice) == 0
    half = voice.copy()
    half[: len(half) // 2] *= 0.3
    assert 0.3 < speech_lost(voice, half) < 0.7


class Listener:
    def __init__(self) -> None:
        self.heard: list[Samples] = []

    async def recognise(self, audio: Samples, *, words: bool = False) -> Transcript:
        self.heard.append(audio)
        return Transcript("heard", "en")

    async def aclose(self) -> None: ...


async def test_the_recogniser_hears_less_noise() -> None:
    noise = np.random.default_rng(0).standard_normal(SPEECH_RATE).astype(np.float32) * 0.01
    listener = Listener()

    denoised = DenoisedRecogniser(listener, "afftdn")
    assert (await denoised.recognise(noise)).text == "heard"
    await denoised.aclose()
    assert len(listener.heard[0]) == len(noise)
    assert np.std(listener.heard[0]) < 0.5 * np.std(noise)


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.rnnn"
    wrong.write_text("not a model")
    with pytest.raises(EngineError, match=r"denoise_model cannot be used: .*wrong\.rnnn is no"):
        DenoisedRecogniser(Listener(), "arnndn", wrong)
