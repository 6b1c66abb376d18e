import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.isochrony import match_onsets, onset_errors, pause_preservation
from stream.intervals import difference, duration, intersection, merge, overlap
from stream.timeline import Interval, ticks

speech = st.lists(
    st.builds(lambda a, n: Interval(a, a + n), st.integers(0, 300), st.integers(0, 60)), max_size=8
)


def at(*seconds):
    return [Interval(ticks(start), ticks(end)) for start, end in seconds]


def mask(intervals):
    covered = np.zeros(400, bool)
    for interval in intervals:
        covered[interval.start : interval.end] = True
    return covered


@given(speech, speech)
def test_interval_sets_are_sets_of_ticks(a, b):
    assert (mask(intersection(a, b)) == (mask(a) & mask(b))).all()
    assert (mask(difference(a, b)) == (mask(a) & ~mask(b))).all()
    assert duration(a) == mask(a).sum()


@given(speech, st.integers(0, 40))
def test_merging_joins_every_short_pause_and_no_other(a, pause):
    merged = merge(a, pause)
    assert not (mask(a) & ~mask(merged)).any()
    for before, after in zip(merged, merged[1:], strict=False):
        assert after.start - before.end >= max(pause, 1)
    assert merge(merged, pause) == merged
    assert merged == merge(list(reversed(a)), pause)


@given(speech, speech)
def test_overlap_is_symmetric_and_a_share(a, b):
    assert overlap(a, b) == overlap(b, a)
    assert 0 <= overlap(a, b) <= 1
    union = (mask(a) | mask(b)).sum()
    assert overlap(a, b) == ((mask(a) & mask(b)).sum() / union if union else 1)


@given(speech)
def test_a_perfect_dub(a):
    utterances = merge(a)
    assert overlap(a, a) == 1
    assert onset_errors(utterances, utterances) == [0.0] * len(utterances)
    assert pause_preservation(a, a) == 1


def test_speech_at_other_times_has_no_overlap():
    assert overlap(at((0, 1)), at((1, 2))) == 0
    assert pause_preservation(at((0, 1), (2, 3)), at((1, 2))) == 0
    assert pause_preservation(at((0, 1), (2, 3)), at((1, 1.25))) == pytest.approx(0.75)


def test_late_dubs_are_not_taken_for_their_neighbours():
    source = at((0, 1), (1.5, 2), (3, 4), (4.6, 5))
    late = [interval.shifted(ticks(0.9)) for interval in source]  # nearer to the next onset
    assert onset_errors(source, late) == pytest.approx([900] * 4)


def test_a_dropped_utterance_does_not_disturb_its_neighbours():
    source = at((0, 1), (4, 5), (8, 9))
    dub = at((0.1, 1), (7.95, 9))
    assert onset_errors(source, dub) == [pytest.approx(100), None, pytest.approx(-50)]


def test_dub_in_more_pieces_than_the_source():
    source = at((0, 3), (5, 6))
    dub = at((0.02, 1), (1.6, 3), (5.01, 5.2), (5.8, 6.5))
    assert match_onsets(source, dub) == [0, 2]


def test_nothing_on_either_side():
    assert match_onsets([], at((0, 1))) == []
    assert match_onsets(at((0, 1)), []) == [None]
    assert overlap([], []) == 1
    assert overlap(at((0, 1)), []) == 0


@given(speech, speech, st.integers(1, 200))
def test_matches_are_in_order_one_to_one_and_within_reach(a, b, reach):
    source, dub = merge(a), merge(b)
    matched = [(i, j) for i, j in enumerate(match_onsets(source, dub, reach)) if j is not None]
    assert [j for _, j in matched] == sorted({j for _, j in matched})
    assert all(abs(source[i].start - dub[j].start) <= reach for i, j in matched)
    if source and dub and not matched:
        assert min(abs(s.start - d.start) for s in source for d in dub) >= reach
