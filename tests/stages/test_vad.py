import asyncio
import importlib.metadata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.vad import SileroDetector
from stream.frames import Samples
from tests.helpers.examples import examples


def noise(windows: int, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    swell = np.sin(np.linspace(0, 9, windows * 512)) ** 2
    return (rng.standard_normal(windows * 512) * swell * 0.2).astype(np.float32)


def detect(audio: Samples, cuts: list[int]) -> Samples:
    async def run() -> Samples:
        detector = SileroDetector()
        parts = np.split(audio, [512 * cut for cut in sorted(cuts)])
        result = np.concatenate([await detector.probabilities(part) for part in parts])
        await detector.aclose()
        return result

    return asyncio.run(run())


WHOLE = detect(noise(40), [])


@examples(0.6)
@given(st.lists(st.integers(0, 40), max_size=12))
def test_any_chunking_equals_the_whole(cuts: list[int]) -> None:
    np.testing.assert_allclose(detect(noise(40), cuts), WHOLE, atol=1e-5)


def test_batches_inside_one_call_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.vad._BATCH_WINDOWS", 7)
    np.testing.assert_allclose(detect(noise(40), []), WHOLE, atol=1e-5)


def test_speech_is_told_from_silence(speech: Samples) -> None:
    silence = np.zeros(512 * 30, np.float32)
    spoken = speech[: len(speech) // 512 * 512]
    result = detect(np.concatenate([silence, spoken, silence]), [])
    assert result[:30].max() < 0.3
    assert np.median(result[30 : 30 + len(spoken) // 512]) > 0.8
    assert result[-10:].max() < 0.3


def test_partial_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="whole windows"):
        detect(np.zeros(511, np.float32), [])


async def test_cancelled_call_leaves_the_state() -> None:
    async def run() -> Samples:
        detector = SileroDetector()
        audio = noise(40)
        first = await detector.probabilities(audio[: 512 * 20])
        doomed = asyncio.create_task(detector.probabilities(noise(20, seed=1)))
        await asyncio.sleep(0)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
        second = await detector.probabilities(audio[512 * 20 :])
        await detector.aclose()
        return np.concatenate([first, second])

    np.testing.assert_allclose(await run(), WHOLE, atol=1e-5)


def test_agrees_with_faster_whispers_own_call(speech: Samples) -> None:
    from faster_whisper.vad import get_vad_model

    audio = speech[: len(speech) // 512 * 512]
    np.testing.assert_allclose(detect(audio, []), get_vad_model()(audio).reshape(-1), atol=0.02)


@pytest.mark.filterwarnings("default::FutureWarning", "default::DeprecationWarning")
def test_agrees_with_the_official_package(speech: Samples) -> None:
    torch = pytest.importorskip("torch")
    silero = pytest.importorskip("silero_vad")
    if not importlib.metadata.version("silero-vad").startswith("6.0."):
        pytest.skip("faster-whisper carries the weights of 6.0; those of 6.2 are others")
    pause = np.zeros(512 * 20, np.float32)
    noise_ = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32) * 0.02
    audio = np.concatenate([pause, speech, pause, speech * 0.2 + noise_, pause, speech[::-1]])
    audio = audio[: len(audio) // 512 * 512].astype(np.float32)
    model = silero.load_silero_vad(onnx=False)
    with torch.no_grad():
        theirs = [float(model(torch.from_numpy(w.copy()), 16_000)) for w in audio.reshape(-1, 512)]
    np.testing.assert_allclose(detect(audio, [7, 90]), theirs, atol=0.02)
