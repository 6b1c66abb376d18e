"""What an utterance's time goes to, and that nothing of it is left over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.clock.pacing import Offline, RealTime
from stream.dub.course import Cause, Course
from stream.timeline import TICK_RATE, seconds
from tests.helpers.dubbing import SPAN, Tones
from tests.helpers.station import Station
from tests.helpers.virtual_time import run_virtual

TIMES = st.floats(0, 30)
MARKS = st.lists(st.tuples(TIMES, st.sampled_from(list(Cause)[:7]), st.floats(0, 5)), max_size=9)


@given(st.floats(-5, 5), MARKS, TIMES, st.one_of(st.none(), st.floats(-0.1, 5)))
def test_the_causes_add_up_to_the_onset_delay(
    first: float, marks: list[tuple[float, Cause, float]], due: float, onset: float | None
) -> None:
    course = Course(first, first, due)
    for time, cause, waited in marks:
        course.until(time, cause, waited)
    causes = course.causes(onset)
    assert sum(causes.values()) == pytest.approx(
        course.at - due if onset is None else onset, abs=1e-9
    )
    within = [took for cause, took in causes.items() if cause not in (Cause.DELAY, Cause.OVERRUN)]
    assert all(took >= 0 for took in within)
    assert course.at == max([first, *(time for time, _, _ in marks)])


def test_what_happens_once_the_dub_has_its_place_delays_it_no_more() -> None:
    course = Course(0.0, 0.0, 4.0)
    course.until(2.0, Cause.SPEECH)
    course.over = True
    course.until(9.0, Cause.VOICE)
    other = course.copy()
    expected = {Cause.SPEECH: 2.0, Cause.DELAY: -4.0, Cause.SPARE: 2.0}
    assert course.causes(0.0) == dict.fromkeys(Cause, 0.0) | expected
    other.over = False
    other.until(9.0, Cause.VOICE)
    assert other.at == 9 and course.at == 2 and Cause.VOICE not in course.spent


def test_a_dub_is_late_by_what_its_voice_takes_and_the_next_by_its_queue() -> None:
    """Two utterances of a second; the viewer is 3 s behind, and speech takes 2 s to make."""
    station = Station([(30, 62), (80, 112)], 400, RealTime(3.0), voices=[Tones(2.0)])
    run_virtual(station.run())
    found, length = 17 * SPAN / TICK_RATE, 32 * SPAN / TICK_RATE
    first, second = (job.onset_causes for job in station.jobs)
    assert first == pytest.approx(
        {
            Cause.SPEECH: length,
            Cause.ENDPOINTING: found,
            Cause.RECOGNITION: 0.2,
            Cause.CORE: 0,
            Cause.TRANSLATION: 0,
            Cause.QUEUE: 0,
            Cause.VOICE: 2.0,
            Cause.DELAY: -3.0,
            Cause.SPARE: 0,
            Cause.OVERRUN: 0,
        },
        abs=0.03,  # a dub begins with a frame
    )
    apart = 50 * SPAN / TICK_RATE
    assert second[Cause.QUEUE] == pytest.approx(2.0 - apart, abs=0.03)
    for job in station.jobs:
        assert job.dub is not None
        onset = seconds(job.dub.start - job.slot.start)
        assert onset > 0.5 and sum(job.onset_causes.values()) == pytest.approx(onset)


def test_offline_only_the_dub_before_delays_one() -> None:
    station = Station([(30, 62)], 200, Offline())
    run_virtual(station.run())
    assert station.jobs[0].onset_causes == {Cause.OVERRUN: 0}
