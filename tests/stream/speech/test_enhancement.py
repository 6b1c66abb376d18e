"""Speech parted from its surroundings, by an enhancer that works, fails, hangs or is slow."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.frames import AudioChunk, Samples
from stream.sound.channels import SpeechChannels
from stream.speech.enhancement import REST_S, Enhancement, SpeechEnhancer
from stream.timeline import END_OF_TIME, TICK_RATE
from tests.helpers.virtual_time import run_virtual

FRAME, LATENCY = 480, 1440


class Halver:
    """Half of every sample is speech; at some of its calls it fails, hangs or takes long."""

    def __init__(self, faults: dict[int, Exception | float | None] | None = None) -> None:
        self.faults = faults or {}
        self.calls = 0
        self._memory = np.zeros(LATENCY, np.float32)

    async def __call__(self, audio: Samples) -> Samples:
        assert len(audio) % FRAME == 0 and len(audio)
        fault = self.faults.get(self.calls, 0.0)
        self.calls += 1
        if fault is None or isinstance(fault, Exception):
            self._memory = np.zeros(LATENCY, np.float32)  # it begins anew
        if fault is None:
            await asyncio.Event().wait()
        if isinstance(fault, Exception):
            raise fault
        await asyncio.sleep(fault or 0)
        both = np.concatenate([self._memory, audio / 2])
        self._memory = both[len(audio) :]
        return both[: len(audio)]


def enhancement(halver: Halver, *, live: bool = False, deadline: float = 1.0) -> Enhancement:
    enhancer = SpeechEnhancer(halver, FRAME, LATENCY, deadline)
    return Enhancement(enhancer, SpeechChannels(None), live=live)


def sound(length: int, channels: int = 1) -> Samples:
    made = np.random.default_rng(1).uniform(-0.5, 0.5, length).astype(np.float32)
    return np.repeat(made[:, None], channels, axis=1)


async def put(subject: Enhancement, whole: Samples, bounds: list[int]) -> list[AudioChunk]:
    every: list[AudioChunk] = []
    for start, end in zip([0, *bounds], [*bounds, len(whole)], strict=True):
        got = await subject.push([AudioChunk(start, whole[start:end])])
        every += got.speech
        assert got.settled <= end
    got = await subject.flush()
    assert got.settled == END_OF_TIME
    return every + got.speech


def contiguous(chunks: list[AudioChunk]) -> Samples:
    assert all(a.end == b.start for a, b in zip(chunks[:-1], chunks[1:], strict=True))
    return np.concatenate([chunk.samples for chunk in chunks])


@given(
    length=st.integers(1, 30_000),
    cuts=st.lists(st.integers(0, 30_000), max_size=6),
    channels=st.sampled_from([1, 2]),
)
@settings(max_examples=40)
def test_every_sample_gets_its_own_speech_however_the_sound_is_cut(
    length: int, cuts: list[int], channels: int
) -> None:
    whole = sound(length, channels)
    bounds = sorted(cut for cut in cuts if cut < length)
    every = run_virtual(put(enhancement(Halver()), whole, bounds))
    if every:
        speech = contiguous(every)
        assert every[0].start == 0
        assert np.allclose(speech, whole[: len(speech)] / 2, atol=1e-6)
        assert length - len(speech) < FRAME
    else:
        assert length < FRAME


@pytest.mark.virtual_time
@pytest.mark.parametrize("fault", [RuntimeError("broken"), None])
async def test_where_it_fails_or_hangs_the_speech_is_not_known(
    fault: Exception | None,
) -> None:
    subject = enhancement(Halver({3: fault}))
    whole = sound(10 * 4800)
    every = await put(subject, whole, [4800 * n for n in range(1, 10)])
    assert subject.skipped == 4800 + LATENCY
    gaps = [b.start - a.end for a, b in zip(every[:-1], every[1:], strict=True)]
    assert sum(gaps) == subject.skipped and max(gaps) == subject.skipped
    for chunk in every:
        assert np.allclose(chunk.samples, whole[chunk.start : chunk.end] / 2, atol=1e-6)


@pytest.mark.virtual_time
async def test_live_it_rests_after_a_fault_and_where_it_is_too_slow() -> None:
    halver = Halver({2: RuntimeError("broken"), **{n: 0.3 for n in range(3, 9)}})
    subject = enhancement(halver, live=True)
    for n in range(10):
        await subject.push([AudioChunk(n * 4800, sound(4800))])
    assert halver.calls == 3
    await asyncio.sleep(REST_S)
    # 0.3 s for every tenth of a second: soon it is half a second behind.
    for n in range(10, 20):
        await subject.push([AudioChunk(n * 4800, sound(4800))])
    assert halver.calls == 6 and subject.skipped > TICK_RATE


@pytest.mark.virtual_time
async def test_numbers_that_are_none_are_no_speech() -> None:
    async def broken(audio: Samples) -> Samples:
        return np.full_like(audio, np.nan)

    enhancer = SpeechEnhancer(broken, FRAME, LATENCY, 1.0)
    subject = Enhancement(enhancer, SpeechChannels(None), live=False)
    every = await put(subject, sound(9600), [4800])
    assert not contiguous(every).any()
