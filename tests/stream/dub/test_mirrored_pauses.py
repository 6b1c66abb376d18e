import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.dub.mirrored_pauses import Phrase, breaks, clause_ends, mirror, sounding
from stream.frames import SPEECH_RATE
from stream.intervals import overlap
from stream.timeline import TICK_RATE, Interval, ticks


def _speech(*seconds: float) -> list[Interval]:
    edges = [ticks(second) for second in seconds]
    return [Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _heard(speech: list[Interval], phrases: list[Phrase]) -> list[Interval]:
    def played(phrase: Phrase, at: int) -> int:
        return phrase.start + round((at - phrase.cut.start) / phrase.tempo)

    return [
        Interval(
            played(phrase, max(sound.start, phrase.cut.start)),
            played(phrase, min(sound.end, phrase.cut.end)),
        )
        for phrase in phrases
        for sound in speech
        if sound.overlap(phrase.cut)
    ]


def test_sound_is_told_from_the_silence_around_it() -> None:
    time = np.arange(2 * SPEECH_RATE) / SPEECH_RATE
    tone = np.sin(2 * np.pi * 300 * time) * ((time < 0.7) | ((time > 1.0) & (time < 1.8)))
    noisy = (0.3 * tone + np.random.default_rng(0).normal(0, 0.003, len(time))).astype(np.float32)
    for audio in (noisy, (0.3 * tone).astype(np.float32)):
        found = sounding(audio, SPEECH_RATE, ticks(0.16))
        expected = _speech(0, 0.7, 1.0, 1.8)
        assert len(found) == 2 and overlap(found, expected) > 0.98
        assert len(sounding(audio, SPEECH_RATE, ticks(0.4))) == 1
    assert sounding(np.zeros(0, np.float32), SPEECH_RATE, 1) == []


def test_clauses_end_at_marks_before_a_space() -> None:
    assert clause_ends("Sim, às 10:30, talvez: não.") == [4, 14, 22]
    assert clause_ends("") == []


def test_only_pauses_where_a_clause_ends_are_used() -> None:
    speech = _speech(0, 1.0, 1.1, 2.0, 2.06, 4.0)
    gaps = _speech(1.0, 1.1), _speech(2.0, 2.06)
    assert breaks(speech, [0.26]) == gaps[0]
    assert breaks(speech, [0.27, 0.52]) == [*gaps[0], *gaps[1]]
    assert breaks(speech, [0.9]) == [] == breaks(speech, []) == breaks([], [0.5])


def test_the_dub_pauses_where_the_source_does() -> None:
    source = _speech(0, 1.0, 1.4, 2.6)
    speech, gaps = _speech(0, 0.9, 1.0, 2.1), _speech(0.9, 1.0)
    phrases = mirror(
        speech, gaps, source, length=ticks(2.1), tempo=1.0, tempos=(0.92, 1.25), end=ticks(2.6)
    )
    assert len(phrases) == 2
    assert overlap(source, _heard(speech, phrases)) > 0.95 > overlap(source, speech)
    second = _heard(speech, phrases)[1]
    assert abs(second.start - ticks(1.4)) < ticks(0.02)


def test_without_a_pause_the_dub_is_left_alone() -> None:
    speech = _speech(0, 2.0)
    for source, gaps in ((speech, _speech(0.9, 1.0)), (_speech(0, 0.9, 1.2, 2.0), [])):
        whole = mirror(
            speech, gaps, source, length=ticks(2.0), tempo=1.1, tempos=(0.92, 1.25), end=ticks(2.0)
        )
        assert whole == [Phrase(Interval(0, ticks(2.0)), 0, 1.1)]


@given(
    st.lists(st.integers(1, TICK_RATE), min_size=4, max_size=8).filter(lambda x: len(x) % 2 == 0),
    st.lists(st.integers(1, TICK_RATE), min_size=4, max_size=8).filter(lambda x: len(x) % 2 == 0),
    st.floats(0.92, 1.25),
)
def test_mirroring_never_loses_speech_nor_overlap(
    ours: list[int], theirs: list[int], tempo: float
) -> None:
    edges, marks = np.cumsum([0, *ours[1:]]).tolist(), np.cumsum([0, *theirs[1:]]).tolist()
    speech = [Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    source = [Interval(a, b) for a, b in zip(marks[::2], marks[1::2], strict=True)]
    gaps = [Interval(a.end, b.start) for a, b in zip(speech[:-1], speech[1:], strict=True)]
    length = speech[-1].end
    end = max(round(length / tempo), source[-1].end) + 1
    phrases = mirror(speech, gaps, source, length=length, tempo=tempo, tempos=(0.92, 1.25), end=end)
    before = overlap(source, _heard(speech, [Phrase(Interval(0, length), 0, tempo)]))
    assert overlap(source, _heard(speech, phrases)) >= before
    assert phrases[0].cut.start == 0 and phrases[-1].cut.end == length
    assert phrases[-1].end <= end
    for one, other in zip(phrases[:-1], phrases[1:], strict=True):
        assert one.cut.end == other.cut.start and one.end <= other.start
        assert 0.92 <= one.tempo <= 1.25
