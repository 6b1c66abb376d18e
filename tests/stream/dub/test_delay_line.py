import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.dub.delay_line import DelayLine
from stream.frames import AudioChunk, Samples
from tests.helpers.dubbing import picture


def chunk(start: int, *values: float) -> AudioChunk:
    return AudioChunk(start, np.array(values, np.float32)[:, None])


def pulled(line: DelayLine, start: int, length: int) -> list[float]:
    sound = line.sound(start, length)
    assert sound.shape == (length, 1) and sound.dtype == np.float32
    return [float(value) for value in sound[:, 0]]


def test_what_has_not_come_is_silent() -> None:
    line = DelayLine(1)
    line.push([chunk(2, 1, 2), chunk(6, 3)])
    assert pulled(line, 0, 8) == [0, 0, 1, 2, 0, 0, 3, 0]


def test_a_chunk_is_given_back_in_parts() -> None:
    line = DelayLine(1)
    line.push([chunk(0, 1, 2, 3, 4, 5)])
    assert [pulled(line, at, 2) for at in (0, 2, 4)] == [[1, 2], [3, 4], [5, 0]]


def test_sound_that_comes_after_its_time_is_lost_and_the_rest_of_it_is_not() -> None:
    line = DelayLine(1)
    assert pulled(line, 0, 3) == [0, 0, 0]
    line.push([chunk(0, 1, 2), chunk(2, 3, 4, 5)])
    assert pulled(line, 3, 3) == [4, 5, 0]


def test_ends_are_those_of_the_sound_and_of_everything() -> None:
    line = DelayLine(1)
    line.push([chunk(0, 1, 2, 3)])
    assert (line.audio_end, line.media_end) == (3, 3)
    line.push([picture(1.0)])
    assert (line.audio_end, line.media_end) == (3, 48_000)


def test_packets_come_out_before_their_bound_in_order() -> None:
    line = DelayLine(1)
    packets = [picture(at) for at in (0.0, 0.04, 0.08)]
    line.push(packets)
    assert line.packets(packets[1].time) == packets[:1]
    assert line.packets(packets[2].time + 1) == packets[1:]
    assert line.packets(1 << 62) == []


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_any_division_gives_back_the_same(put: list[int], taken: list[int]) -> None:
    whole: Samples = np.arange(1, sum(put) + 1, dtype=np.float32)[:, None]
    line, at = DelayLine(1), 0
    for length in put:
        line.push([AudioChunk(at, whole[at : at + length])])
        at += length
    parts, at = [], 0
    for length in taken:
        parts.append(line.sound(at, length))
        at += length
    expected = np.zeros((max(at, len(whole)), 1), np.float32)
    expected[: len(whole)] = whole
    assert np.array_equal(np.concatenate(parts), expected[:at])
