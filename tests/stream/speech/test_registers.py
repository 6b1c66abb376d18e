"""Speakers told apart by register, and by register and voice together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.frames import Embedding
from stream.sound.pitch import Register
from stream.speech.diarize import SpeakerOptions
from stream.speech.registers import SURE_S, RegisterDiarizer, as_embedding

MAN, WOMAN, CHILD = 100.0, 195.0, 380.0
PEOPLE = (MAN, WOMAN, CHILD)


def voice(who: int, seed: int, spread: float = 0.08) -> Embedding:
    """A voice near an axis: cosine over 0.85 to its like, under 0.4 to others."""
    vector = np.eye(16)[who] + np.random.default_rng(seed).standard_normal(16) * spread
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def at(cosine: float) -> Embedding:
    """A voice so near the first axis."""
    return np.array([cosine, np.sqrt(1 - cosine**2), *np.zeros(14)], np.float32)


def labels(said: list[tuple[float, float]]) -> list[str]:
    """By register alone: Hz and voiced seconds."""
    diarizer = RegisterDiarizer(SpeakerOptions())
    return [diarizer.assign(as_embedding(Register(hz, s)), s) for hz, s in said]


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.floats(-3, 3), st.floats(SURE_S, 9)),
                min_size=1, max_size=40))  # fmt: skip
def test_a_man_a_woman_and_a_child_keep_their_labels_in_any_order(said) -> None:
    given_ = labels([(hz * 2 ** (st_ / 12), s) for hz, st_, s in said])
    pairs = {(hz, name) for (hz, _, _), name in zip(said, given_, strict=True)}
    assert len(pairs) == len({hz for hz, _, _ in said})
    first = list(dict.fromkeys(given_))
    assert first == [f"S{n + 1}" for n in range(len(first))]


@given(st.floats(80, 300), st.lists(st.tuples(st.floats(-3.4, 3.4), st.floats(0.05, 9)),
                                    min_size=1, max_size=40))  # fmt: skip
def test_one_lively_speaker_is_one(hz: float, said) -> None:
    assert set(labels([(hz * 2 ** (st_ / 12), s) for st_, s in said])) == {"S1"}


@given(st.floats(80, 300), st.lists(st.floats(60, 440), max_size=20))
def test_a_moment_of_something_else_introduces_nobody(hz: float, moments) -> None:
    said = [(hz, 2.0)] + [(other, SURE_S / 2) for other in moments]
    assert set(labels(said)) == {"S1"}


@given(st.lists(st.tuples(st.floats(60, 450), st.floats(0, 9)), max_size=60), st.integers(1, 4))
def test_there_are_never_more_speakers_than_allowed(said, most: int) -> None:
    diarizer = RegisterDiarizer(SpeakerOptions(max=most))
    for hz, s in said:
        label = diarizer.assign(as_embedding(Register(hz, s)), s)
        assert 1 <= int(label[1:]) <= most


def test_who_spoke_last_goes_on_between_two_registers() -> None:
    """168 Hz is between the two, a little nearer to the woman."""
    for first in (MAN, WOMAN):
        other = WOMAN if first == MAN else MAN
        *_, before, between = labels([(other, 2), (first, 2), (143, 2)])
        assert between == before
    *_, man, clearly = labels([(WOMAN, 2), (MAN, 2), (185, 2)])
    assert (man, clearly) == ("S2", "S1")


def test_nothing_known_is_the_last_speaker() -> None:
    diarizer = RegisterDiarizer(SpeakerOptions())
    assert diarizer.assign(as_embedding(None), 3) == "S1"
    for hz in (MAN, WOMAN):
        diarizer.assign(as_embedding(Register(hz, 2)), 2)
    assert diarizer.assign(as_embedding(None), 3) == "S2"
    assert diarizer.assign(np.array([np.nan, 1], np.float32), 3) == "S2"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200), st.floats(-2, 2)),
                min_size=1, max_size=40))  # fmt: skip
def test_voices_of_one_register_are_sorted_by_voice(said) -> None:
    diarizer = RegisterDiarizer(SpeakerOptions())
    pairs = {
        (
            who,
            diarizer.assign(as_embedding(Register(MAN * 2 ** (st_ / 12), 2), voice(who, seed)), 3),
        )
        for who, seed, st_ in said
    }
    assert len(pairs) == len({who for who, _, _ in said})


def test_the_nearer_the_register_the_less_alike_voices_need_be() -> None:
    def second(hz: float, cosine: float) -> str:
        diarizer = RegisterDiarizer(SpeakerOptions(threshold=0.7))
        diarizer.assign(as_embedding(Register(MAN, 2), at(1.0)), 3)
        return diarizer.assign(as_embedding(Register(hz, 2), at(cosine)), 3)

    assert second(110, 0.66) == "S1" and second(110, 0.64) == "S2"
    assert second(140, 0.72) == "S1" and second(140, 0.68) == "S2"
    # Over music a man may sound like a woman to the encoder, but does not speak as high.
    assert second(WOMAN, 0.75) == "S2" and second(WOMAN, 0.85) == "S1"


def test_of_two_who_are_near_enough_the_voice_decides() -> None:
    """An octave error over music: the pitch is nearer to the woman's, the voice is the man's."""
    diarizer = RegisterDiarizer(SpeakerOptions(threshold=0.7))
    diarizer.assign(as_embedding(Register(2 * MAN, 2), at(1.0)), 3)
    diarizer.assign(as_embedding(Register(MAN, 2), at(0.6)), 3)
    assert diarizer.assign(as_embedding(Register(2 * MAN, 2), at(0.65)), 3) == "S2"


def test_a_short_utterance_goes_to_whom_its_register_is_near() -> None:
    diarizer = RegisterDiarizer(SpeakerOptions())
    for who, hz in enumerate((MAN, WOMAN)):
        diarizer.assign(as_embedding(Register(hz, 2), voice(who, 0)), 3)
    stranger = voice(5, 0)
    assert diarizer.assign(as_embedding(Register(104, 0.4), stranger), 0.7) == "S1"
    assert diarizer.assign(as_embedding(None, stranger), 0.7) == "S1"
    assert diarizer.assign(as_embedding(Register(200, 0.4), stranger), 0.7) == "S2"
    assert diarizer.nearness("S2", as_embedding(None, voice(1, 1))) > 0.8
    assert diarizer.nearness("S3", as_embedding(None, voice(1, 1))) == 0
