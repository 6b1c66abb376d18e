from hypothesis import given
from hypothesis import strategies as st

from stream.media.repair import TimestampRepair
from stream.timeline import TICK_RATE

FRAME = 1024


def _media(repair: TimestampRepair, stream: int, stamps: list[int | None]) -> list[int | None]:
    return [
        None if stamp is None else stamp + repair.offset(stream, stamp, FRAME) for stamp in stamps
    ]


@given(st.integers(-(10**9), 10**12), st.integers(1, 50))
def test_a_source_starts_at_zero_whatever_its_clock_says(origin: int, count: int) -> None:
    repair = TimestampRepair(origin, discontinuous=True)
    stamps: list[int | None] = [origin + i * FRAME for i in range(count)]
    assert _media(repair, 0, stamps) == [i * FRAME for i in range(count)]
    assert repair.jumps == 0


@given(st.integers(11 * TICK_RATE, 10**12), st.booleans())
def test_a_restarted_clock_goes_on_and_keeps_the_streams_together(jump: int, back: bool) -> None:
    step = -jump if back else jump
    repair = TimestampRepair(0, discontinuous=True)
    before: list[int | None] = [i * FRAME for i in range(5)]
    after: list[int | None] = [(5 + i) * FRAME + step for i in range(5)]
    # The picture is 100 ticks ahead of the sound, before and after.
    sound = _media(repair, 0, before) + _media(repair, 0, after)
    picture = _media(repair, 1, [s + 100 for s in before if s is not None])
    picture += _media(repair, 1, [s + 100 for s in after if s is not None])
    assert sound == [i * FRAME for i in range(10)]
    assert picture == [i * FRAME + 100 for i in range(10)]
    assert repair.jumps == 1


def test_missing_timestamps_continue() -> None:
    repair = TimestampRepair(0, discontinuous=False)
    assert _media(repair, 0, [0, FRAME]) == [0, FRAME]
    repair.offset(0, None, FRAME)
    assert repair.expected(0) == 3 * FRAME


def test_a_long_gap_in_a_file_is_real() -> None:
    repair = TimestampRepair(0, discontinuous=False)
    assert _media(repair, 0, [0, 60 * TICK_RATE]) == [0, 60 * TICK_RATE]


def test_small_steps_are_left_to_the_audio_track() -> None:
    repair = TimestampRepair(0, discontinuous=True)
    assert _media(repair, 0, [0, 3 * TICK_RATE, TICK_RATE]) == [0, 3 * TICK_RATE, TICK_RATE]
