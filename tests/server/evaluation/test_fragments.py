"""What counts as a fragment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.evaluation.fragments import are_fragments


def fragments(*texts: str) -> list[str]:
    marked = are_fragments(texts, "en")
    return [text for text, is_one in zip(texts, marked, strict=True) if is_one]


def test_pieces_of_phrases_are_fragments() -> None:
    said = ("It was the best of times, it was the worst", "of times.", "It was the epoch",
            "of belief, it was the epoch of incredulity.")  # fmt: skip
    assert fragments(*said) == ["of times.", "It was the epoch"]
    assert fragments("He went with his brother to the", "river and came back late.") == [
        "He went with his brother to the"
    ]


@pytest.mark.parametrize(
    "said",
    [
        ("Yes.", "Take your time.", "Of course!"),
        ("When he came,", "she had left the house already."),
        ("I stayed at home all day long", "because it rained."),
        ("The last keeper left when the lamp", ""),
        (),
    ],
)
def test_sentences_and_clauses_are_none(said: tuple[str, ...]) -> None:
    assert fragments(*said) == []


@given(st.lists(st.sampled_from(["He went home.", "Why?", "It is late, and I am tired!"])))
def test_whole_sentences_never_are(said: list[str]) -> None:
    assert not any(are_fragments(said, "en"))


@given(st.lists(st.text("ab .,", max_size=20), max_size=8), st.sampled_from(["en", "pt", "ru"]))
def test_whatever_was_recognised_is_answered(said: list[str], language: str) -> None:
    marked = are_fragments(said, language)
    assert len(marked) == len(said)
    assert not any(one for one, text in zip(marked, said, strict=True) if not text.strip())
