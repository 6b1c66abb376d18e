"""A voice that is too slow, on a virtual clock: utterances of a second, one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from stream.dub.admission import Admission
from stream.dub.lateness import Lateness

MAX_LATE = 1.5
LATENESS = Lateness(max_late=MAX_LATE)


def play(paces: list[float], room: float, admission: Admission | None) -> list[str]:
    """Fates of utterances that are known one a second, ``room`` seconds before their time.

    Args:
        paces: seconds that the voice takes for each.
        room: seconds.
        admission: what decides; without it everything is begun, and given up when it is too late.
    """
    now, fates = 0.0, []
    for index, pace in enumerate(paces):
        now = max(now, float(index))
        due = index + room
        followed = now >= index + 1
        if admission is not None and not admission.admits(1.0, due - now, followed=followed):
            fates.append("dropped")
            continue
        if now + pace > due + MAX_LATE:  # spent until then, in vain
            now = max(now, due + MAX_LATE)
            fates.append("dropped")
            continue
        now += pace
        if admission is not None:
            admission.observe(1.0, pace)
        fates.append("on time" if now <= due + 0.08 else "late")
    return fates


def test_a_voice_a_little_too_slow_keeps_some_dubs_in_time() -> None:
    without, fates = (play([1.2] * 100, 1.5, a) for a in (None, Admission(LATENESS)))
    assert without.count("on time") < 10
    served = len(fates) - fates.count("dropped")
    assert served >= 80  # of the 83 that there is time for
    assert fates.count("on time") >= 25


def test_it_recovers_at_once() -> None:
    fates = play([1.0] * 5 + [4.0] * 10 + [0.5] * 20, 1.5, Admission(LATENESS))
    assert fates[:5] == ["on time"] * 5
    assert fates[-10:] == ["on time"] * 10


def test_a_single_late_dub_is_spoken_where_nobody_waits() -> None:
    admission = Admission(LATENESS)
    admission.observe(1.0, 1.0)
    assert admission.admits(1.0, 0.1, followed=False)
    assert not admission.admits(1.0, 0.1, followed=True)
    assert not admission.admits(1.0, -0.6, followed=False)


@given(st.floats(0.1, 50), st.floats(0, 3))
def test_a_voice_that_was_slow_is_tried_again(slow: float, left: float) -> None:
    admission = Admission(LATENESS)
    admission.observe(1.0, slow)
    assert any(admission.admits(1.0, left, followed=True) for _ in range(200)) or left == 0


@given(st.lists(st.floats(0, 60), max_size=10), st.floats(0, 30), st.booleans())
def test_where_nobody_watches_everything_is_begun(
    took: list[float], speech: float, followed: bool
) -> None:
    admission = Admission(LATENESS)
    for each in took:
        admission.observe(speech, each)
    assert admission.admits(speech, float("inf"), followed=followed)
