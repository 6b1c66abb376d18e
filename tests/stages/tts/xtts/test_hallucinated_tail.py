import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tts.xtts.candidates import Take, best_take, least_bad, share_of
from stages.tts.xtts.hallucinated_tail import Fault, Progress, fault, is_over, longest, loop_start

CODES = st.lists(st.integers(0, 1023), max_size=80, unique=True)


@given(CODES, st.lists(st.integers(2000, 2010), min_size=1, max_size=8, unique=True))
def test_what_repeats_itself_is_cut_after_its_first_cycle(
    speech: list[int], cycle: list[int]
) -> None:
    repeats = math.ceil(12 / len(cycle)) + 3
    start = loop_start([*speech, *cycle * repeats])
    assert start is not None
    assert len(speech) <= start <= len(speech) + len(cycle)


@given(CODES)
def test_speech_without_repetition_is_whole(codes: list[int]) -> None:
    assert loop_start(codes) is None


@given(CODES, st.integers(1, 9))
def test_a_held_sound_may_last_half_a_second(codes: list[int], length: int) -> None:
    assert loop_start([*codes, *[2000] * length]) is None


@given(st.lists(st.integers(0, 3), max_size=60))
def test_a_cut_loses_only_repetition(codes: list[int]) -> None:
    start = loop_start(codes)
    if start is not None:
        kept, lost = codes[:start], codes[start:]
        assert any(
            all(code == (kept + lost)[start + i - period] for i, code in enumerate(lost))
            for period in range(1, 9)
        )


def test_faults_of_whole_takes() -> None:
    codes = list(range(60))
    assert fault(codes, 2.8, 2.5, ended=True) is None
    assert fault([*codes, *[5] * 20], 3.7, 2.5, ended=True) is Fault.LOOP
    assert fault(codes, 2.8, 2.5, ended=False) is Fault.TOO_LONG
    assert fault(codes, longest(2.5) + 0.1, 2.5, ended=True) is Fault.TOO_LONG
    assert fault(codes, 0.3, 2.5, ended=True) is Fault.TOO_SHORT


@given(st.floats(0.3, 20), st.integers(0, 5))
def test_no_pause_early_in_a_text_ends_it(expected: float, commas: int) -> None:
    assert not is_over(Progress(0.5 * expected, 9, 5.0), expected, commas)
    assert not is_over(Progress(expected, 9, 0.1), expected, commas)


def test_a_pause_that_a_comma_explains_does_not_end_a_text_in_time() -> None:
    assert not is_over(Progress(0.9 * 4, 0, 0.5), 4, clause_ends=1)
    assert is_over(Progress(0.9 * 4, 1, 0.5), 4, clause_ends=1)
    assert is_over(Progress(1.3 * 4, 0, 0.5), 4, clause_ends=1)


def take(seconds: float, likelihood: float = -10.0, wrong: Fault | None = None) -> Take:
    return Take(tuple(range(max(1, round(seconds * 21.5)))), seconds, likelihood, wrong)


@given(st.lists(st.floats(0.3, 20), min_size=1, max_size=8), st.floats(0.3, 20))
def test_the_take_nearest_to_the_slot_wins(lengths: list[float], room: float) -> None:
    index = best_take([take(length) for length in lengths], room, 1.0)
    assert index is not None
    chosen = abs(math.log(lengths[index] / room))
    assert all(chosen <= abs(math.log(length / room)) + 1e-9 for length in lengths)


def test_faulty_takes_are_chosen_only_if_there_is_no_other() -> None:
    takes = [take(2.0, wrong=Fault.LOOP), take(5.0)]
    assert best_take(takes, 2.0, 1.0) == 1
    assert best_take(takes[:1], 2.0, 1.0) is None
    assert least_bad([take(9.0, wrong=Fault.LOOP), take(3.0, wrong=Fault.LOOP)], 2.0) == 1


def test_length_penalty_decides_where_no_slot_does() -> None:
    takes = [take(1.0, likelihood=-20.0), take(3.0, likelihood=-50.0)]
    assert best_take(takes, None, 1.0) == 1
    assert best_take(takes, None, 0.0) == 0


def test_shares_of_a_slot() -> None:
    assert share_of(None, "a", "ab") is None
    parts = ["one two", "three"]
    shares = [share_of(6.0, part, "".join(parts)) for part in parts]
    assert np.sum(np.asarray(shares, float)) == pytest.approx(6.0)
