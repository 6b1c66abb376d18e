"""Convolutions with fewer multiplications: the same sums, whatever their shape and the threads."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.tts.kokoro.crew import Crew, Desk
from stages.tts.kokoro.fast_convolution import FastConvolution

SHAPES = st.tuples(st.sampled_from([3, 7, 11, 5]), st.sampled_from([1, 3, 5]), st.integers(1, 700))


def convolved(
    taps: int, dilation: int, time: int, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """What comes out, and what should."""
    rng = np.random.default_rng(taps * 1000 + time)
    weights = rng.normal(0, 1, (taps, 3, 2)).astype(np.float32)
    convolution = FastConvolution(weights, dilation)
    sound = np.zeros((convolution.rows(time), 3), np.float32)
    margin = convolution.margin
    sound[margin : margin + time] = rng.normal(0, 1, (time, 3))
    expected = sum(
        sound[tap * dilation : tap * dilation + time].astype(np.float64) @ weights[tap]
        for tap in range(taps)
    )
    with Crew(threads, []) as crew:
        return convolution(sound, time, crew).copy(), np.asarray(expected)


@settings(max_examples=40, deadline=None)
@given(SHAPES)
def test_it_is_the_convolution(shape: tuple[int, int, int]) -> None:
    result, expected = convolved(*shape)
    np.testing.assert_allclose(result, expected, atol=2e-5)


@pytest.mark.parametrize("taps", [3, 7, 11])
def test_more_channels_are_the_same_sums(taps: int) -> None:
    rng = np.random.default_rng(taps)
    weights = rng.normal(0, 0.05, (taps, 256, 4)).astype(np.float32)
    convolution = FastConvolution(weights, 3)
    sound = np.zeros((convolution.rows(90), 256), np.float32)
    sound[convolution.margin :][:90] = rng.normal(0, 1, (90, 256))
    expected = sum(sound[3 * tap : 3 * tap + 90] @ weights[tap] for tap in range(taps))
    with Crew(1, []) as crew:
        np.testing.assert_allclose(convolution(sound, 90, crew), expected, atol=2e-5)


def test_threads_change_nothing() -> None:
    alone, _ = convolved(11, 3, 20_000)
    together, _ = convolved(11, 3, 20_000, threads=3)
    np.testing.assert_array_equal(alone, together)


def test_a_fault_in_a_block_reaches_the_caller_from_any_thread() -> None:
    done: list[int] = []

    def work(block: int) -> None:
        if block == 3:
            raise ValueError("block 3")
        done.append(block)

    with pytest.raises(ValueError, match="block 3"), Crew(2, []) as crew:
        crew.each(work, range(8))
    assert set(done) <= set(range(8)) - {3}
    assert not [one for one in threading.enumerate() if one.name.startswith("livedub-crew")]


def test_memory_is_handed_on_and_never_shared() -> None:
    desks: list[Desk] = []
    with Crew(2, desks) as first, Crew(1, desks) as second:
        one, other = first.scratch("sound", 4, 5), second.scratch("sound", 4, 5)
        assert not np.shares_memory(one, other)
        assert np.shares_memory(first.scratch("sound", 3), one)
    assert len(desks) == 2
    with Crew(1, desks) as third:
        again = third.scratch("sound", 20)
        assert np.shares_memory(again, one) or np.shares_memory(again, other)
