import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dub.duration import DurationModel
from stream.dub.fit import FitOptions, OneTempo, limits, place, speaking_rate
from stream.timeline import TICK_RATE, Interval, ticks

OPTIONS = FitOptions()
SLOT = Interval(10 * TICK_RATE, 12 * TICK_RATE)


def _place(duration: float, *, earliest: int = 0, free_until: float = 20.0):  # type: ignore[no-untyped-def]
    return place(
        ticks(duration), SLOT, earliest=earliest, free_until=ticks(free_until), options=OPTIONS
    )


def test_speech_that_fills_its_slot_is_left_alone() -> None:
    placement = _place(2.0)
    assert placement.interval == SLOT
    assert (placement.tempo, placement.borrowed, placement.shift, placement.truncated) == (
        1,
        0,
        0,
        0,
    )


def test_silence_is_borrowed_before_tempo_is_noticed() -> None:
    placement = _place(2.6)
    assert placement.tempo == OPTIONS.easy_tempo
    assert placement.borrowed == round(ticks(2.6) / OPTIONS.easy_tempo) - ticks(2.0)


def test_tempo_comes_next() -> None:
    placement = _place(3.3)  # 1 s borrowed leaves 3 s
    assert 1 < placement.tempo <= OPTIONS.max_tempo
    assert placement.interval.end == ticks(13)


def test_nothing_is_borrowed_from_the_next_speaker() -> None:
    placement = _place(2.3, free_until=12.4)
    assert placement.interval.end <= ticks(12.4 - OPTIONS.breath)


def test_an_overrun_pushes_the_next_dub_and_no_more_than_allowed() -> None:
    placement = _place(4.0)
    assert placement.tempo == OPTIONS.max_tempo
    assert placement.truncated == 0
    assert placement.interval.end == SLOT.start + round(ticks(4.0) / OPTIONS.max_tempo)


def test_truncation_is_last() -> None:
    placement = _place(9.0)
    assert placement.truncated > 0
    assert placement.interval.end == placement.latest == ticks(13 + OPTIONS.shift)


def test_a_late_start_is_a_shift() -> None:
    placement = _place(1.0, earliest=ticks(10.5))
    assert placement.shift == ticks(0.5) and placement.interval.start == ticks(10.5)


@given(
    st.integers(1, 30 * TICK_RATE),
    st.integers(0, 8 * TICK_RATE),
    st.integers(0, 15 * TICK_RATE),
    st.integers(0, 20 * TICK_RATE),
)
def test_every_placement_keeps_the_limits(
    duration: int, length: int, earliest: int, silence: int
) -> None:
    slot = Interval(5 * TICK_RATE, 5 * TICK_RATE + length)
    free_until = slot.end + silence
    placement = place(duration, slot, earliest=earliest, free_until=free_until, options=OPTIONS)
    assert placement.interval.start == max(slot.start, earliest)
    assert OPTIONS.min_tempo <= placement.tempo <= OPTIONS.max_tempo
    assert placement.interval.end <= placement.latest
    spoken = placement.interval.duration + placement.truncated
    assert abs(spoken - duration / placement.tempo) <= 1
    # Drift is bounded: the next slot, a breath after the silence at the earliest, is pushed
    # by the shift at most.
    bound = max(free_until, slot.end, placement.interval.start) + ticks(OPTIONS.shift)
    assert placement.interval.end <= bound


def test_an_easy_tempo_comes_before_borrowed_silence() -> None:
    options = FitOptions(easy_tempo=1.1)

    def tempo_of(duration: float) -> float:
        placement = place(ticks(duration), SLOT, earliest=0, free_until=ticks(20), options=options)
        return placement.tempo

    assert tempo_of(2.1) == pytest.approx(1.05)
    assert tempo_of(2.6) == pytest.approx(1.1)  # the rest is borrowed
    assert tempo_of(3.6) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("strategy", "tempo", "borrows", "rates"),
    [
        ("rate", 1.0, False, (0.85, 1.3)),
        ("borrow", 1.0, True, (1.0, 1.0)),
        ("segment", 1.15, False, (1.0, 1.0)),
        ("chunk", 1.15, False, (1.0, 1.0)),
        ("combined", 1.0, True, (0.85, 1.3)),
    ],
)
def test_a_strategy_leaves_measures_out(
    strategy: str, tempo: float, borrows: bool, rates: tuple[float, float]
) -> None:
    options = limits(FitOptions(strategy=strategy, easy_tempo=1.0))  # type: ignore[arg-type]
    placement = place(ticks(2.3), SLOT, earliest=0, free_until=ticks(20), options=options)
    assert placement.tempo == pytest.approx(tempo)
    within = strategy in ("segment", "chunk")
    assert (placement.borrowed > 0) is not within
    if not borrows and not within:
        assert placement.latest == SLOT.end + ticks(options.shift)
    assert (options.min_rate, options.max_rate) == rates


def test_one_tempo_is_that_of_all_speech_so_far() -> None:
    one, options = OneTempo(), limits(FitOptions(strategy="global"))
    for duration, tempo in ((2.2, 1.1), (2.6, 1.2), (0.5, 0.92)):
        now = one.apply(ticks(duration), SLOT, options)
        assert now.min_tempo == now.max_tempo
        if duration > 1:
            assert now.max_tempo == pytest.approx(tempo)
        placement = place(ticks(duration), SLOT, earliest=0, free_until=ticks(20), options=now)
        assert placement.tempo == now.max_tempo


def test_drift_does_not_accumulate_over_an_hour_of_long_dubs() -> None:
    cursor, worst = 0, 0
    for number in range(1200):  # 2 s of speech every 3 s, each dubbed in 2.9 s
        slot = Interval(number * ticks(3), number * ticks(3) + ticks(2))
        placement = place(
            ticks(2.9), slot, earliest=cursor, free_until=slot.start + ticks(3), options=OPTIONS
        )
        cursor = placement.interval.end
        worst = max(worst, placement.shift)
    assert worst <= ticks(OPTIONS.shift)


def test_the_rate_fills_the_slot_within_natural_limits() -> None:
    assert speaking_rate(ticks(2.2), SLOT, OPTIONS) == 1.1
    assert speaking_rate(ticks(9), SLOT, OPTIONS) == OPTIONS.max_rate
    assert speaking_rate(ticks(0.5), SLOT, OPTIONS) == OPTIONS.min_rate
    assert speaking_rate(1, Interval(5, 5), OPTIONS) == OPTIONS.max_rate


def test_durations_are_learned() -> None:
    model = DurationModel(15)
    text = "uma frase de tamanho comum para aprender"
    for _ in range(40):
        model.observe(text, ticks(4.0), 1.25)  # 5 s at rate 1
    assert abs(model.expected(text) - ticks(5.0)) < ticks(0.05)
    before = model.expected(text)
    model.observe("...", ticks(3), 1.0)
    assert model.expected(text) == before
