from hypothesis import given
from hypothesis import strategies as st

from stages.mt.choose import COMFORTABLE, choose, misfit
from stream.timeline import TICK_RATE

CANDIDATES = st.lists(
    st.tuples(st.floats(-5, 0), st.integers(1, 20 * TICK_RATE)), min_size=1, max_size=8
)
SLOTS = st.integers(1, 20 * TICK_RATE)


@given(CANDIDATES, SLOTS)
def test_without_weight_the_best_score_is_taken(
    candidates: list[tuple[float, int]], slot: int
) -> None:
    scores = [score for score, _ in candidates]
    chosen = choose(scores, [length for _, length in candidates], slot, 0.0)
    assert scores[chosen] == max(scores)


@given(CANDIDATES, SLOTS)
def test_with_all_weight_the_best_fit_is_taken(
    candidates: list[tuple[float, int]], slot: int
) -> None:
    lengths = [length for _, length in candidates]
    chosen = choose([0.0] * len(lengths), lengths, slot, 1.0)
    assert misfit(lengths[chosen], slot) == min(misfit(length, slot) for length in lengths)


@given(CANDIDATES, SLOTS, st.floats(0, 10), st.floats(0, 10))
def test_more_weight_never_fits_worse_nor_scores_better(
    candidates: list[tuple[float, int]], slot: int, one: float, other: float
) -> None:
    scores = [score for score, _ in candidates]
    lengths = [length for _, length in candidates]
    light, heavy = (choose(scores, lengths, slot, w) for w in sorted((one, other)))
    assert misfit(lengths[heavy], slot) <= misfit(lengths[light], slot) + 1e-9
    assert scores[heavy] <= scores[light] + 1e-9


def test_a_translation_that_fits_is_not_given_up_for_a_shorter_one() -> None:
    slot = 2 * TICK_RATE
    assert choose([-0.1, -0.2], [round(slot * COMFORTABLE[1]), slot // 2 * 2], slot, 10.0) == 0


def test_a_much_shorter_one_is_worth_a_little_score() -> None:
    slot = 2 * TICK_RATE
    assert choose([-0.1, -0.2], [3 * TICK_RATE, slot], slot, 1.0) == 1
    assert choose([-0.1, -0.9], [3 * TICK_RATE, slot], slot, 1.0) == 0


def test_speech_without_a_slot_is_misfit_but_finite() -> None:
    assert 0 < misfit(TICK_RATE, 0) < 20
    assert 0 < misfit(0, TICK_RATE) < 20
