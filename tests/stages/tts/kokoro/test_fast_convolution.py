"""Convolutions with fewer multiplications: the same sums, whatever their shape and the threads."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.tts.kokoro.crew import Crew
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
    crew = Crew(threads)
    try:
        return convolution(sound, time, crew).copy(), np.asarray(expected)
    finally:
        crew.close()


@settings(max_examples=40, deadline=None)
@given(SHAPES)
def test_it_is_the_convolution(shape: tuple[int, int, int]) -> None:
    result, expected = convolved(*shape)
    np.testing.assert_allclose(result, expected, atol=2e-5)


def test_threads_change_nothing() -> None:
    alone, _ = convolved(11, 3, 20_000)
    together, _ = convolved(11, 3, 20_000, threads=3)
    np.testing.assert_array_equal(alone, together)


def test_a_fault_in_a_block_reaches_the_caller_from_any_thread() -> None:
    crew = Crew(2)
    done: list[int] = []

    def work(block: int) -> None:
        if block == 3:
            raise ValueError("block 3")
        done.append(block)

    try:
        crew.each(work, range(8))
    except ValueError as error:
        assert str(error) == "block 3"
    else:
        raise AssertionError("nothing was raised")
    finally:
        crew.close()
    assert set(done) <= set(range(8)) - {3}
