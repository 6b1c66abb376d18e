import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import Samples
from stream.sound.mix import Bed, Ducker, Lift, MixOptions, add_dub
from stream.timeline import FRAME, TICK_RATE, Interval, ticks


def _gain(ducker: Ducker, start: int, length: int) -> Samples:
    gain = ducker.gain(start, length)
    return np.broadcast_to(np.asarray(gain, np.float32), (length, 1))[:, 0]


def test_the_bed_is_down_when_the_dub_begins_and_comes_back_after_it() -> None:
    options = MixOptions(duck=-20, attack=0.05, release=0.3, hold=0.2)
    ducker = Ducker(options)
    ducker.dubbed(0, Interval(ticks(1), ticks(2)), 0)
    gain = _gain(ducker, 0, ticks(4))
    assert (gain[: ticks(0.95)] == 1).all()
    assert gain[ticks(1) : ticks(2.2)] == pytest.approx(0.1)
    assert (gain[ticks(2.5) :] == 1).all()
    steps = np.abs(np.diff(gain))
    assert steps.max() <= 0.9 / ticks(0.05) + 1e-6, "no click"


def test_mute_opens_only_where_a_dub_failed() -> None:
    ducker = Ducker(MixOptions(bed="mute"))
    ducker.dubbed(0, Interval(ticks(1), ticks(2)), 0)
    ducker.fell_back(1, Interval(ticks(3), ticks(4)), 0)
    gain = _gain(ducker, 0, ticks(6))
    assert not gain[: ticks(2.9)].any() and (gain[ticks(3) : ticks(4)] == 1).all()
    assert not gain[ticks(5) :].any()


@pytest.mark.parametrize("bed", ["keep"])
def test_keep_keeps(bed: Bed) -> None:
    ducker = Ducker(MixOptions(bed=bed))
    ducker.dubbed(0, Interval(0, ticks(1)), 0)
    ducker.fell_back(1, Interval(0, ticks(1)), 0)
    assert ducker.gain(0, 960) == 1.0


def test_a_ramp_that_is_announced_late_starts_where_we_are() -> None:
    ducker = Ducker(MixOptions())
    _gain(ducker, 0, ticks(1))
    ducker.dubbed(0, Interval(ticks(0.5), ticks(2)), ticks(1))
    assert _gain(ducker, ticks(1), 10)[0] == pytest.approx(1.0)


@given(
    st.lists(st.tuples(st.integers(0, 60000), st.integers(1, 60000)), max_size=6),
    st.lists(st.integers(1, 5000), min_size=1, max_size=60),
)
def test_any_division_into_frames_gives_the_same_gain(
    spans: list[tuple[int, int]], frames: list[int]
) -> None:
    whole, parts = Ducker(MixOptions()), Ducker(MixOptions())
    start = 0
    for id_, (gap, length) in enumerate(spans):
        interval = Interval(start + gap, start + gap + length)
        whole.dubbed(id_, interval, 0)
        parts.dubbed(id_, interval, 0)
        start = interval.end
    total = sum(frames)
    at, pieces = 0, []
    for frame in frames:
        pieces.append(_gain(parts, at, frame))
        at += frame
    assert np.allclose(np.concatenate(pieces), _gain(whole, 0, total), atol=1e-6)


def test_dialogue_goes_to_the_centre_where_there_is_one() -> None:
    bed, dub = np.zeros((4, 6), np.float32), np.ones(4, np.float32)
    assert np.flatnonzero(add_dub(bed, dub, 2)[0]).tolist() == [2]
    assert np.flatnonzero(add_dub(bed[:, :2], dub, None)[0]).tolist() == [0, 1]
    assert add_dub(bed[:, :1], dub, None).tolist() == [[1.0]] * 4
    assert not bed.any()


def test_a_dub_that_breaks_off_gives_the_original_back() -> None:
    options = MixOptions()
    ducker = Ducker(options)
    ducker.dubbed(0, Interval(ticks(1), ticks(6)), 0)
    _gain(ducker, 0, ticks(2))
    ducker.ended(0, ticks(2))
    gain = _gain(ducker, ticks(2), ticks(4))
    back = ticks(options.hold + options.release)
    assert gain[0] < 0.2 and np.all(gain[back:] == 1.0)


def test_saying_twice_that_the_original_is_heard_is_saying_it_once() -> None:
    once, twice = Ducker(MixOptions(bed="mute")), Ducker(MixOptions(bed="mute"))
    for ducker in (once, twice):
        ducker.fell_back(0, Interval(ticks(1), ticks(2)), 0)
    first = _gain(once, 0, ticks(1.5)), _gain(twice, 0, ticks(1.5))
    twice.fell_back(0, Interval(ticks(1), ticks(2)), ticks(1.5))
    assert np.array_equal(*first)
    assert np.array_equal(_gain(once, ticks(1.5), ticks(2)), _gain(twice, ticks(1.5), ticks(2)))


LENGTH = 2 * TICK_RATE
MUSIC, SPOKEN = np.float32(0.1), np.float32(0.3)


def lifted(known: slice, cuts: list[int]) -> Samples:
    """A bed of music and speech under a dub from 0.5 to 1.5 s; its speech is known in part."""
    options = MixOptions(bed="lift", lift=-6.0, attack=0.05, hold=0, release=0.1)
    ducker, lift = Ducker(options), Lift(options)
    ducker.dubbed(0, Interval(TICK_RATE // 2, 3 * TICK_RATE // 2), 0)
    bed = np.full((LENGTH, 1), MUSIC + SPOKEN, np.float32)
    speech = np.full((known.stop, 1), SPOKEN, np.float32)
    parts = []
    for start, end in zip([0, *cuts], [*cuts, LENGTH], strict=True):
        found = speech[start : end + lift.fade] if start >= known.start else None
        parts.append(lift.under(bed[start:end], ducker.depth(start, end - start), found))
    return np.concatenate(parts)[:, 0]


FRAMES = list(range(FRAME, LENGTH, FRAME))


def test_under_a_dub_the_music_stays_and_the_speech_goes() -> None:
    sound = lifted(slice(0, LENGTH + TICK_RATE), FRAMES)
    assert np.array_equal(sound[: TICK_RATE // 2 - ticks(0.05)], np.full(21_600, MUSIC + SPOKEN))
    under = sound[TICK_RATE // 2 : 3 * TICK_RATE // 2]
    assert np.allclose(under, MUSIC * 10 ** (-6 / 20), rtol=1e-3)
    assert np.allclose(sound[3 * TICK_RATE // 2 + ticks(0.1) :], MUSIC + SPOKEN)
    assert np.abs(np.diff(sound)).max() < 2 * SPOKEN / ticks(0.05)


def test_where_the_speech_is_not_known_the_bed_is_ducked_and_it_fades_between() -> None:
    sound = lifted(slice(0, TICK_RATE), FRAMES)
    assert sound[TICK_RATE - ticks(0.1)] == pytest.approx(MUSIC * 10 ** (-6 / 20), rel=1e-3)
    ducked = (MUSIC + SPOKEN) * 10 ** (-18 / 20)
    assert np.allclose(sound[TICK_RATE : TICK_RATE + TICK_RATE // 4], ducked, rtol=1e-3)
    assert np.abs(np.diff(sound)).max() < 2 * SPOKEN / ticks(0.05)
    nothing = lifted(slice(LENGTH, LENGTH), FRAMES)
    assert np.allclose(nothing[TICK_RATE : TICK_RATE + TICK_RATE // 4], ducked, rtol=1e-3)
