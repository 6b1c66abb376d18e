import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.asr.hallucination import (
    Decoding,
    is_doubtful,
    is_loop,
    longest_repeat,
    rejection,
    spoken_length,
    words,
)


def heard(
    text: str, seconds: float = 4, no_speech: float = 0.02, logprob: float = -0.2
) -> Decoding:
    return Decoding(text, seconds, no_speech, logprob)


@pytest.mark.parametrize(
    ("decoding", "reason"),
    [
        (heard(""), "no words"),
        (heard(" . . ."), "no words"),
        (heard("♪♪"), "no words"),
        (heard("I'm gonna go to the left.", no_speech=0.95, logprob=-1.97), "no speech"),
        (heard("I'm", no_speech=0.5, logprob=-2.4), "improbable text"),
        (heard("I'm your friend, " * 8), "looping text"),
        (heard("F " * 60), "looping text"),
        (heard("はい" * 12), "looping text"),
        (heard("a thing said much too fast to be true " * 2, seconds=0.5), "faster than speech"),
        (heard("Subtitles by the Amara.org community"), "subtitle credit"),
        (heard("Субтитры сделал DimaTorzok", no_speech=0.0), "subtitle credit"),
        (heard("Thanks for watching!", no_speech=0.7), "phrase that stands for silence"),
        (heard(" you", no_speech=0.4, logprob=-0.9), "phrase that stands for silence"),
        (heard("ご視聴ありがとうございました", no_speech=0.6), "phrase that stands for silence"),
    ],
)
def test_inventions_are_rejected_with_a_reason(decoding: Decoding, reason: str) -> None:
    assert rejection(decoding) == reason
    assert is_doubtful(decoding)


@pytest.mark.parametrize(
    "decoding",
    [
        heard("The quick brown fox jumps over the lazy dog."),
        heard("yes", seconds=0.65, no_speech=0.74, logprob=-0.5),
        heard("Thank you.", seconds=0.9),
        heard("So.", seconds=0.5, no_speech=0.47, logprob=-0.5),
        heard("The end.", seconds=0.7, no_speech=0.24, logprob=-1.1),
        heard("No, no, no, no!", seconds=2),
        heard("Ha ha ha ha ha.", seconds=2),
        heard("New York, New York, it's a wonderful town."),
        heard("В лесу родилась ёлочка, в лесу она росла."),
        heard("今日は天気がいいから散歩しましょう", seconds=3),
        heard("Really?", seconds=0.4, no_speech=0.3, logprob=-0.9),
    ],
)
def test_speech_is_kept(decoding: Decoding) -> None:
    assert rejection(decoding) is None


def test_a_sentence_said_twice_is_doubtful_but_may_be_true() -> None:
    twice = heard("Let me show you how this works. " * 2)
    assert is_doubtful(twice)
    assert rejection(twice) is None


@given(st.text(max_size=300), st.floats(0.1, 30), st.floats(0, 1), st.floats(-5, 0))
def test_any_text_is_judged(text: str, seconds: float, no_speech: float, logprob: float) -> None:
    decoding = Decoding(text, seconds, no_speech, logprob)
    if rejection(decoding) is not None:
        assert is_doubtful(decoding)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8), st.integers(2, 9))
def test_repeats_are_found(unit: list[str], times: int) -> None:
    repeats, size = longest_repeat(unit * times)
    assert repeats * size >= (times - 1) * len(unit)


@given(st.lists(st.integers(), unique=True, max_size=60))
def test_nothing_repeats_among_different_words(tokens: list[int]) -> None:
    assert longest_repeat([str(token) for token in tokens]) == (1, 0)


@given(st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=4, max_size=4))
def test_a_cut_loop_is_still_a_loop(unit: list[str]) -> None:
    assert is_loop(" ".join((unit * 4)[:-1]))


@given(st.text(max_size=200), st.text(max_size=200))
def test_spoken_length_adds_up(one: str, other: str) -> None:
    assert spoken_length(one + other) == pytest.approx(spoken_length(one) + spoken_length(other))


def test_dense_scripts_have_a_word_a_character() -> None:
    assert words("Olá, MUNDO 你好") == ["olá", "mundo", "你", "好"]
