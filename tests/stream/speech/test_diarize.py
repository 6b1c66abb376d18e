import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import Embedding
from stream.speech.diarize import SHORTEST_S, Diarizer, SpeakerOptions

SPEAKERS, SIZE = 4, 16
THRESHOLD = 0.6


def voice(speaker: int, seed: int, spread: float = 0.1) -> Embedding:
    """A voice near axis ``speaker``: cosine over 0.8 to its like, under 0.4 to others."""
    noise = np.random.default_rng(seed).standard_normal(SIZE) * spread
    vector = np.eye(SIZE)[speaker] + noise
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def label(order: list[tuple[int, int]], maximum: int = 8, seconds: float = 3.0) -> list[str]:
    diarizer = Diarizer(SpeakerOptions(THRESHOLD, maximum))
    return [diarizer.assign(voice(who, seed), seconds) for who, seed in order]


utterances = st.lists(
    st.tuples(st.integers(0, SPEAKERS - 1), st.integers(0, 200)), min_size=1, max_size=40
)


@given(utterances, st.randoms())
def test_separate_voices_are_sorted_the_same_in_any_order(order, random) -> None:
    shuffled = random.sample(order, len(order))
    for said in (order, shuffled):
        labels = label(said)
        pairs = {(who, name) for (who, _), name in zip(said, labels, strict=True)}
        assert len(pairs) == len({who for who, _ in said})
        first = list(dict.fromkeys(labels))
        assert first == [f"S{n + 1}" for n in range(len(first))]


@given(
    st.lists(
        st.tuples(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.floats(0, 9)), max_size=50
    ),
    st.integers(1, 5),
    st.floats(0.05, 0.95),
)
def test_there_are_never_more_speakers_than_allowed(said, maximum: int, threshold: float) -> None:
    diarizer = Diarizer(SpeakerOptions(threshold, maximum))
    for vector, seconds in said:
        raw = np.array(vector, np.float32)
        given_label = diarizer.assign(raw / max(np.linalg.norm(raw), 1e-6), seconds)
        assert given_label in (diarizer.speakers or ("S1",))
    assert len(diarizer.speakers) <= maximum


@given(utterances)
def test_short_utterances_found_no_speaker_and_move_none(order) -> None:
    diarizer = Diarizer(SpeakerOptions(THRESHOLD, 8))
    assert diarizer.assign(voice(0, 0), 3.0) == "S1"
    for who, seed in order:
        diarizer.assign(voice(who, seed), SHORTEST_S / 2)
        assert diarizer.speakers == ("S1",)
    assert diarizer.assign(voice(1, 1), 3.0) == "S2"
    assert diarizer.assign(voice(0, 2), 0.5) == "S1"


def test_an_unknown_voice_is_the_last_speakers() -> None:
    diarizer = Diarizer(SpeakerOptions(THRESHOLD, 8))
    nothing = np.zeros(SIZE, np.float32)
    assert diarizer.assign(nothing, 3.0) == "S1"
    assert diarizer.speakers == ()
    assert [diarizer.assign(voice(w, 0), 3.0) for w in (0, 1)] == ["S1", "S2"]
    assert diarizer.assign(nothing, 3.0) == "S2"
    assert diarizer.assign(nothing * np.nan, 3.0) == "S2"


def test_how_near_a_voice_is_to_its_speaker() -> None:
    diarizer = Diarizer(SpeakerOptions(THRESHOLD, 8))
    one, other = np.eye(SIZE, dtype=np.float32)[:2]
    diarizer.assign(one, SHORTEST_S / 2)  # too short to found anybody
    assert diarizer.nearness("S1", one) == 0.0
    diarizer.assign(one, 3.0)
    assert (diarizer.nearness("S1", one), diarizer.nearness("S1", other)) == (1.0, 0.0)


def test_when_the_house_is_full_the_nearest_has_it() -> None:
    assert label([(0, 1), (1, 2), (2, 3), (0, 4)], maximum=2)[-1] == "S1"
