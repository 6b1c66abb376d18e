from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.hls.cutter import Cut, Cutter
from server.hls.playlist import target_duration
from stream.frames import PictureFormat, PicturePacket
from stream.timeline import TICK_RATE, seconds

FORMAT = PictureFormat("av1", b"", 16, 16)
SEGMENT = 2 * TICK_RATE
STEP = TICK_RATE // 25


def picture(time: int, *, key: bool = False, reorder: int = 0) -> PicturePacket:
    return PicturePacket(FORMAT, time, time + reorder, key, b"")


def cuts_of(pictures: list[PicturePacket], end: int, *, batch: float = 0.2) -> list[Cut]:
    """What comes of pictures and of sound from 0 to ``end``, given ``batch`` seconds at a time."""
    cutter = Cutter(SEGMENT)
    step = round(batch * TICK_RATE)
    cutter.advance(0) if not pictures or pictures[0].time > 0 else None
    found: list[Cut] = []
    at = 0
    for clock in [*range(step, end, step), end]:
        while at < len(pictures) and pictures[at].time < clock:
            cutter.add(pictures[at])
            at += 1
        cutter.advance(clock)
        while (cut := cutter.next()) is not None:
            found.append(cut)
    cutter.finish(end)
    while (cut := cutter.next()) is not None:
        found.append(cut)
    assert cutter.target is None or all(
        target_duration(seconds(cut.time.duration)) <= cutter.target for cut in found
    )
    return found


def even(length: float, gop: int, *, start: int = 0, reorder: int = 0) -> list[PicturePacket]:
    return [
        picture(start + n * STEP, key=n % gop == 0, reorder=reorder)
        for n in range(round(length * 25))
    ]


def lengths(cuts: list[Cut]) -> list[float]:
    return [round(seconds(cut.time.duration), 3) for cut in cuts]


def test_segments_end_with_the_first_keyframe_after_their_length() -> None:
    assert lengths(cuts_of(even(10, 25), 10 * TICK_RATE)) == [2, 2, 2, 2, 2]
    assert lengths(cuts_of(even(12, 75), 12 * TICK_RATE)) == [3, 3, 3, 3]
    # A keyframe that comes a moment early is taken: the next one would be far away.
    assert lengths(cuts_of(even(8, 48), 8 * TICK_RATE))[:3] == [1.92, 1.92, 1.92]


def test_a_later_longer_group_does_not_lengthen_segments() -> None:
    later = [one for one in even(20, 250, start=4 * TICK_RATE)]
    assert max(lengths(cuts_of(even(4, 50) + later, 24 * TICK_RATE))) <= 2.49


def test_sound_alone_is_cut_evenly() -> None:
    assert lengths(cuts_of([], 7 * TICK_RATE)) == [2, 2, 2, 1]
    assert all(cut.pictures is None for cut in cuts_of([], 7 * TICK_RATE))


def test_less_than_a_segment_is_one() -> None:
    assert lengths(cuts_of([], TICK_RATE)) == [1]
    assert lengths(cuts_of(even(1, 25), TICK_RATE)) == [1]
    assert cuts_of([], 0) == []


def test_pictures_that_come_seldom_are_held_and_not_broken() -> None:
    """A shared screen that shows a new picture every 1.3 s, none of them a keyframe."""
    seldom = [picture(n * 62_400, key=n == 0) for n in range(12)]
    cuts = cuts_of(seldom, 15 * TICK_RATE)
    shown = [one for cut in cuts for one in cut.pictures or ()]
    assert len(shown) == 12 and sum(one.key for one in shown) == 1
    assert all(abs(a.shown - b.shown) <= 62_400 for a, b in zip(shown, seldom, strict=True))


@pytest.mark.parametrize("batch", [0.2, 1.7, 12.0])
def test_after_a_stall_every_picture_is_there_from_the_next_key(batch: float) -> None:
    pictures = even(1.5, 25) + even(5, 25, start=6 * TICK_RATE + 3 * STEP)
    del pictures[38:50]
    cuts = cuts_of(pictures, 11 * TICK_RATE, batch=batch)
    shown = [one.shown for cut in cuts for one in cut.pictures or ()]
    resumed = next(one.shown for one in pictures[38:] if one.key)
    late = [one.shown for one in pictures if resumed <= one.shown < 11 * TICK_RATE]
    assert [time for time in shown if time >= resumed] == late
    assert len(late) > 90


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 40, 40, 40, 40, 500, 1500, 4000, 9000]),  # ms to the next picture
            st.sampled_from([False, False, False, False, True]),
            st.integers(0, 2),
        ),
        max_size=150,
    ),
    st.integers(0, 3000),
    st.integers(0, 40),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0.2, 1.0, 50.0]),
)
def test_whatever_comes_there_is_no_hole(
    steps: list[tuple[int, bool, int]], first: int, sound: int, reorder: int, batch: float
) -> None:
    pictures: list[PicturePacket] = []
    time = first * 48
    for step, key, coding in steps:
        one = picture(time, key=key, reorder=reorder * STEP)
        coded = replace(FORMAT, width=16 + coding) if key else FORMAT
        pictures.append(replace(one, format=coded if key or not pictures else pictures[-1].format))
        time += step * 48
    cuts = cuts_of(pictures, sound * TICK_RATE, batch=batch)
    for before, after in zip(cuts, cuts[1:], strict=False):
        assert before.time.end == after.time.start
        if before.pictures is not None:
            # Once there is a picture there is always one, and its time goes on.
            assert after.pictures is not None
            assert after.pictures[0].time >= before.pictures[-1].time
            assert after.pictures[0].time - before.until <= 0
    for cut in cuts:
        assert cut.time.duration >= TICK_RATE // 20
        if cut.pictures is not None:
            times = [one.time for one in cut.pictures]
            assert times == sorted(set(times)) and cut.until > times[-1]
            assert len({one.format for one in cut.pictures}) == 1
            assert cut.key or not cut.discontinuity
    if cuts and sound:
        assert cuts[-1].time.end >= sound * TICK_RATE - TICK_RATE // 20
