"""What holds whatever is said, however long the engines take."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.clock.pacing import Offline, Pacing, RealTime
from stream.dub.attempt import Settled
from stream.dub.job import DubJob
from stream.frames import Fate
from stream.timeline import TICK_RATE
from tests.helpers.booth import Booth, Said
from tests.helpers.dubbing import SPAN, Tones, live
from tests.helpers.examples import examples
from tests.helpers.station import Station, Whole
from tests.helpers.virtual_time import run_virtual

DELAY = 4.0

UTTERANCES = st.lists(
    st.tuples(
        st.integers(0, 20),  # tenths of a second before it
        st.integers(3, 25),  # its length
        st.integers(1, 40),  # letters to speak
        st.integers(0, 15),  # tenths from its end until its words are there
    ),
    min_size=1,
    max_size=7,
)


@examples(0.4)
@given(UTTERANCES, st.integers(0, 30), st.integers(1, 4), st.booleans())
def test_whatever_is_said_dubs_keep_their_order_and_each_is_settled_once(
    utterances: list[tuple[int, int, int, int]], takes: int, pieces: int, watched: bool
) -> None:
    said, end, sent = [], 1.0, 0.0
    for before, length, letters, after in utterances:
        start = end + before / 10
        end = start + length / 10
        sent = max(sent, end + after / 10)
        said.append(Said(start, end, "x" * letters, at=sent))
    booth = Booth(
        Tones(takes=takes / 10, pieces=pieces, apart=0.3),
        RealTime(DELAY) if watched else Offline(),
        length=sent + 12,
    )
    run_virtual(booth.run(*said))
    assert sorted(booth.viewer.settled) == [("pt", id_) for id_ in range(len(said))]
    assert all(job.fate is not None for job in booth.jobs)
    dubs = [job for job in booth.jobs if job.played is not None]
    reached = 0
    for job in dubs:
        assert job.played is not None and job.spoken is not None
        assert job.played.interval.start >= max(job.slot.start - job.spoken.lead, reached)
        reached = job.played.interval.end
        if not watched:
            assert job.played.interval == job.spoken.interval and job.played.starved == 0
    for heard in booth.viewer.heard():
        assert any(
            job.played.interval.start <= heard.start <= job.played.interval.end
            for job in dubs
            if job.played is not None
        )


def fates(jobs: list[DubJob]) -> list[Fate | None]:
    return [job.fate for job in jobs]


CUTS = st.lists(st.integers(1, 200 * SPAN - 1), max_size=15).map(lambda cuts: sorted(set(cuts)))


@examples(0.3)
@given(CUTS)
def test_offline_any_division_of_the_source_gives_the_same(cuts: list[int]) -> None:
    speech = [(20, 50), (80, 120), (150, 170)]

    def dubbed(cuts: list[int] | None) -> Station:
        station = Station(speech, 200, Offline(), cuts=cuts)
        run_virtual(station.run())
        return station

    whole, divided = dubbed([]), dubbed(cuts)
    assert [job.dub for job in whole.jobs] == [job.dub for job in divided.jobs]
    assert [job.text for job in whole.jobs] == [job.text for job in divided.jobs]
    assert np.array_equal(whole.viewers[0].dub, divided.viewers[0].dub)
    assert np.allclose(whole.viewers[0].sound, divided.viewers[0].sound, atol=1e-6)


@examples(0.3)
@given(
    st.lists(st.tuples(st.integers(17, 40), st.integers(9, 60)), min_size=1, max_size=5),
    st.integers(0, 25),
    st.integers(0, 20),
    st.sampled_from(["offline", "real time", "live"]),
    st.sets(st.integers(0, 4)),
    st.sets(st.integers(0, 4)),
)
def test_every_utterance_is_settled_once_whatever_happens(
    parts: list[tuple[int, int]],
    voice_takes: int,
    recogniser_takes: int,
    kind: str,
    deaf: set[int],
    silent: set[int],
) -> None:
    speech, at = [], 0
    for silence, length in parts:
        speech.append((at + silence, at + silence + length))
        at += silence + length
    pacings: dict[str, Pacing] = {
        "offline": Offline(),
        "real time": RealTime(DELAY),
        "live": live(DELAY),
    }
    whole = Whole(recogniser_takes / 10, {n: RuntimeError("deaf") for n in deaf}, frozenset(silent))
    # Playout goes on until whatever is found last is no longer worth it.
    station = Station(
        speech, at + 17 + 60, pacings[kind], whole=whole, voices=[Tones(voice_takes / 10)]
    )
    run_virtual(station.run())
    settled = [n.job for n in station.viewers[0].notices if isinstance(n, Settled)]
    assert Counter(job.id for job in settled) == {n: 1 for n in range(len(speech))}
    assert sum(Counter(fates(station.jobs)).values()) == len(speech)
    assert None not in fates(station.jobs)
    reached = 0
    for job in station.jobs:
        if job.played is not None:
            assert job.spoken is not None
            assert job.played.interval.start >= max(job.slot.start - job.spoken.lead, reached)
            reached = job.played.interval.end
            assert job.dub is not None
            onset = (job.dub.start - job.slot.start) / TICK_RATE
            assert sum(job.onset_causes.values()) == pytest.approx(onset, abs=1e-6)
    for n in range(len(speech)):
        expected = Fate.FAILED if n in deaf else Fate.EMPTY if n in silent else None
        if expected is not None and station.jobs[n].fate is not Fate.DROPPED:
            assert station.jobs[n].fate is expected
