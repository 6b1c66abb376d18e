"""Which voice speaks for whom."""

from hypothesis import given
from hypothesis import strategies as st

from stages.speakers.cast import LOW_HZ, SURE_S, Cast
from stream.sound.pitch import Register

VOICES = {"bass": 85.0, "tenor": 130.0, "alto": 195.0, "soprano": 250.0, "child": 310.0}

heard = st.tuples(st.sampled_from(["S1", "S2", "S3", "S4"]), st.floats(65, 420), st.floats(0.1, 3))


def of(cast: Cast, said: list[tuple[str, float, float]]) -> list[str]:
    """The voice of each utterance when it was heard; a second each."""
    found = []
    for time, (speaker, hz, voiced_s) in enumerate(said):
        cast.heard(speaker, time, Register(hz, voiced_s))
        found.append(cast.voice(speaker, time))
    return found


@given(st.lists(heard, max_size=30))
def test_the_voice_of_an_utterance_never_changes_afterwards(said) -> None:
    cast = Cast(VOICES)
    then = of(cast, said)
    assert then == [cast.voice(speaker, time) for time, (speaker, _, _) in enumerate(said)]
    assert all(voice in VOICES for voice in then)


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(-1.5, 1.5)), min_size=1, max_size=40),
       st.permutations([80.0, 120.0, 200.0, 240.0, 300.0]))  # fmt: skip
def test_everybody_keeps_a_voice_of_their_register_and_nobody_shares_one(said, registers) -> None:
    cast = Cast(VOICES)
    turns = [(f"S{who}", registers[who - 1] * 2 ** (st_ / 12), 1.0) for who, st_ in said]
    pairs = set(zip((speaker for speaker, _, _ in turns), of(cast, turns), strict=True))
    speakers = {speaker for speaker, _ in pairs}
    assert len(pairs) == len(speakers) == len({voice for _, voice in pairs})
    for speaker, voice in pairs:
        low = registers[int(speaker[1:]) - 1] < LOW_HZ
        assert (VOICES[voice] < LOW_HZ) == low


def test_the_nearest_voice_is_taken_and_shared_only_where_there_are_too_few() -> None:
    cast = Cast(VOICES)
    turns = [(f"S{n}", hz, 2.0) for n, hz in enumerate((125, 90, 128, 88, 240), 1)]
    assert of(cast, turns) == ["tenor", "bass", "tenor", "bass", "soprano"]
    assert of(Cast({"alto": 195.0}), [("S1", 90, 2.0)]) == ["alto"], "there is no other"


def test_a_wrong_beginning_is_put_right_and_a_lively_man_keeps_his_voice() -> None:
    cast = Cast(VOICES)
    said = [("S1", 220.0, 0.2), ("S1", 100.0, 1.0), ("S1", 100.0, 1.0), ("S1", 260.0, 3.0)]
    assert of(cast, said) == ["alto", "tenor", "tenor", "tenor"]
    assert cast.is_sure("S1") and not cast.is_sure("S2")
    # Beyond the border by less than it takes.
    assert of(Cast(VOICES), [("S1", 155.0, 1.0), ("S1", 175.0, 0.9)]) == ["tenor", "tenor"]
    assert SURE_S > 1.9


def test_before_anything_is_known_the_engines_own_voice_speaks() -> None:
    cast = Cast(VOICES)
    cast.heard("S1", 0, None)
    cast.heard("S1", 5, Register(115.0, 1.0))
    assert [cast.voice("S1", time) for time in (0, 4, 5, 9)] == ["", "", "tenor", "tenor"]
    assert cast.voice("S2", 9) == ""
