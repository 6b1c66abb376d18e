import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dub.mixdown import FADE, LONGEST_LEAD, Mixdown
from stream.frames import Samples
from stream.sound.mix import MixOptions
from stream.timeline import FRAME, TICK_RATE, Interval, ticks
from tests.helpers.dubbing import tone

DUCKED = 0.1 * 10 ** (-18 / 20)
SLOT = Interval(TICK_RATE, 2 * TICK_RATE)
END = 4 * TICK_RATE


def bed(channels: int = 1) -> Samples:
    return np.full((END, channels), 0.1, np.float32)


def mixed(mixdown: Mixdown, dub: Samples, cuts: list[int] | None = None) -> Samples:
    """The whole mix, made in steps: of a frame, or between ``cuts``."""
    bounds = sorted({0, END, *(cuts if cuts is not None else range(0, END, FRAME))})
    sound = bed(mixdown.silence().shape[1])
    parts = [
        mixdown.mix(a, sound[a:b], dub[a:b]) for a, b in zip(bounds[:-1], bounds[1:], strict=True)
    ]
    return np.concatenate([*parts, mixdown.flush()])


def silence() -> Samples:
    return np.zeros(END, np.float32)


def test_the_mix_is_as_long_as_what_went_in_and_in_its_place() -> None:
    mixdown = Mixdown(2, None, MixOptions())
    first = mixdown.mix(0, bed(2)[:FRAME], silence()[:FRAME])
    assert len(first) < FRAME  # behind by the limiter's latency
    rest = mixdown.mix(FRAME, bed(2)[FRAME:], silence()[FRAME:])
    whole = np.concatenate([first, rest, mixdown.flush()])
    assert np.array_equal(whole, bed(2))


@pytest.mark.parametrize("length", [0, 1, 100, FRAME])
def test_so_is_that_of_less_than_the_limiter_holds_back(length: int) -> None:
    mixdown = Mixdown(1, None, MixOptions())
    sound = mixdown.mix(0, bed()[:length], silence()[:length])
    assert np.array_equal(np.concatenate([sound, mixdown.flush()]), bed()[:length])


def test_the_bed_gives_way_just_before_a_dub_and_comes_back_after_its_slot() -> None:
    mixdown = Mixdown(1, None, MixOptions())
    mixdown.make_way(0, SLOT, SLOT, 0)
    sound = mixed(mixdown, silence())[:, 0]
    attack, hold, release = ticks(0.05), ticks(0.2), ticks(0.3)
    assert np.allclose(sound[: SLOT.start - attack], 0.1)
    assert np.allclose(sound[SLOT.start : SLOT.end + hold], DUCKED, rtol=1e-4)
    assert DUCKED < sound[SLOT.end + hold + release // 2] < 0.1
    assert np.allclose(sound[SLOT.end + hold + release :], 0.1)
    assert mixdown.lead == attack + LONGEST_LEAD


@pytest.mark.parametrize(("dub_end", "covered"), [(1.2, 2.2), (1.9, 2.5), (2.7, 2.7)])
def test_a_short_dub_leaves_the_original_to_itself_after_a_second(
    dub_end: float, covered: float
) -> None:
    slot = Interval(TICK_RATE, ticks(2.5))
    mixdown = Mixdown(1, None, MixOptions())
    mixdown.make_way(0, slot, Interval(slot.start, ticks(dub_end)), 0)
    sound = mixed(mixdown, silence())[:, 0]
    ramp_begins = ticks(covered) + ticks(0.2)
    assert sound[ramp_begins] == pytest.approx(DUCKED, rel=1e-4)
    assert sound[ramp_begins + 100] > DUCKED


@pytest.mark.parametrize(("at_once", "until"), [(True, 1.3), (False, 2.2)])
def test_a_dub_that_broke_off_gives_the_original_back_at_once(at_once: bool, until: float) -> None:
    mixdown = Mixdown(1, None, MixOptions())
    mixdown.make_way(0, SLOT, SLOT, 0)
    mixdown.release(0, SLOT, Interval(SLOT.start, ticks(1.3)), 0, at_once=at_once)
    sound = mixed(mixdown, silence())[:, 0]
    assert sound[ticks(until)] == pytest.approx(DUCKED, rel=1e-4)
    assert sound[ticks(until) + 100] > DUCKED


def test_the_original_is_heard_over_a_slot_that_it_falls_back_to_where_the_bed_is_mute() -> None:
    mixdown = Mixdown(1, None, MixOptions(bed="mute"))
    mixdown.fall_back(0, SLOT, 0)
    sound = mixed(mixdown, silence())[:, 0]
    assert not sound[: SLOT.start - ticks(0.05)].any()
    assert np.allclose(sound[SLOT.start : SLOT.end], 0.1)
    assert not sound[SLOT.end + ticks(0.5) :].any()


def test_a_dub_after_all_takes_the_slot_back_where_the_bed_is_mute() -> None:
    mixdown = Mixdown(1, None, MixOptions(bed="mute"))
    mixdown.fall_back(0, SLOT, 0)
    mixdown.make_way(0, SLOT, SLOT, SLOT.start)
    sound = mixed(mixdown, silence())[:, 0]
    assert not sound[SLOT.start + ticks(0.5) :].any()


@pytest.mark.parametrize(("centre", "channels"), [(None, [0, 1]), (2, [2])])
def test_the_dub_is_where_dialogue_is(centre: int | None, channels: list[int]) -> None:
    mixdown = Mixdown(3, centre, MixOptions(bed="keep"))
    dub = silence()
    dub[TICK_RATE : 2 * TICK_RATE] = tone(1.0)
    sound = mixed(mixdown, dub) - bed(3)
    assert [c for c in range(3) if np.abs(sound[:, c]).max() > 0.1] == channels


@given(st.lists(st.integers(1, END - 1), max_size=10))
def test_any_division_gives_the_same_mix(cuts: list[int]) -> None:
    def mix(cuts: list[int] | None) -> Samples:
        mixdown = Mixdown(1, None, MixOptions())
        mixdown.make_way(0, SLOT, SLOT, 0)
        dub = silence()
        dub[SLOT.start : SLOT.end] = tone(1.0)
        return mixed(mixdown, dub, cuts)

    assert np.allclose(mix(cuts), mix(None), atol=1e-6)


@given(st.lists(st.integers(1, END - 1), max_size=12), st.integers(0, END - 2 * FADE))
def test_off_the_air_is_the_original_alone_and_nothing_jumps(cuts: list[int], at: int) -> None:
    mixdown, voice = Mixdown(1, None, MixOptions(ceiling=-0.1)), np.full(END, 0.3, np.float32)
    mixdown.make_way(0, Interval(0, END), Interval(0, END), 0)
    bounds = sorted({0, at, END, *cuts})
    parts = []
    for a, b in zip(bounds, bounds[1:], strict=False):
        mixdown.fader.on = a < at
        gain = None if mixdown.fader.open else mixdown.fader.gain(b - a)
        parts.append(mixdown.mix(a, bed()[a:b], voice[a:b], None, gain))
    sound = np.concatenate([*parts, mixdown.flush()])[:, 0]
    assert np.allclose(sound[at + FADE :], 0.1, atol=1e-5)
    later = sound[min(at, ticks(0.1)) :]  # the bed gives way before
    assert np.abs(np.diff(later)).max() < 2e-3
    mixdown.fader.on = True
    assert mixdown.fader.gain(FADE)[-1] == 1 and mixdown.fader.open
