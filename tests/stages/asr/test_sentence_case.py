import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.asr.sentence_case import SentenceCase
from stages.text.sentences import ends_sentence
from stream.timeline import Interval, ticks


def pieces(*said: tuple[str, float, float]) -> list[str]:
    case = SentenceCase()
    return [case.of(text, Interval(ticks(start), ticks(end))) for text, start, end in said]


def test_a_sentence_begins_with_a_capital_and_its_rest_does_not() -> None:
    assert pieces(
        ("his name was Peter", 0, 1),
        ("and he knew every rock.", 1.2, 3),
        ("buses still cross", 3.3, 4),
        ("", 4.2, 4.4),
        ("the river.”", 4.5, 5),
        ("¿quién sabe?", 5.1, 6),
    ) == [
        "His name was Peter",
        "and he knew every rock.",
        "Buses still cross",
        "",
        "the river.”",
        "¿Quién sabe?",
    ]


def test_after_a_long_silence_a_sentence_begins() -> None:
    assert pieces(("we went", 0, 1), ("into town", 1.9, 3), ("nobody came", 4.1, 5)) == [
        "We went",
        "into town",
        "Nobody came",
    ]


@pytest.mark.parametrize(
    "text", ["iPhone sales rose.", "3 men came.", "Ça va.", "你好。", " ", "ﬀ"]
)
def test_words_of_mixed_case_and_scripts_without_case_stay(text: str) -> None:
    (same,) = pieces((text, 0, 1))
    assert same.casefold() == text.casefold()
    assert same == text or text == "ﬀ"


@given(st.lists(st.text(max_size=20), max_size=6))
def test_nothing_but_case_changes(texts: list[str]) -> None:
    told = pieces(*((text, i, i + 1) for i, text in enumerate(texts)))
    assert [text.casefold() for text in told] == [text.casefold() for text in texts]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("He left. ", True),
        ("Who?»", True),
        ("终。", True),
        ("and so", False),
        ("3.5", False),
        ("", False),
    ],
)
def test_where_a_sentence_ends(text: str, ends: bool) -> None:
    assert ends_sentence(text) is ends
