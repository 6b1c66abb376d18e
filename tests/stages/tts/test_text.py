import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.sentences import clauses, sentences
from stages.tts.text import portions, speakable

HOSTILE = st.text(
    st.characters() | st.sampled_from(' .,!?…。！？،؟।—\n\u200d\u0301\u202e"”)\ud83d'), max_size=300
)


def solid(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(HOSTILE, st.integers(1, 80))
def test_nothing_but_space_is_lost_and_no_portion_is_too_long(text: str, limit: int) -> None:
    parts = portions(text, limit)
    assert solid("".join(parts)) == solid(text)
    assert all(0 < len(part) <= limit for part in parts)


@given(st.lists(st.text("abcxyzé,.!", min_size=1, max_size=12), max_size=60))
def test_words_are_cut_only_where_one_alone_is_too_long(tokens: list[str]) -> None:
    text = " ".join(tokens)
    assert [word for part in portions(text, 12) for word in part.split()] == text.split()


@given(HOSTILE)
def test_sentences_and_clauses_lose_only_space(text: str) -> None:
    assert solid("".join(sentences(text))) == solid(text)
    assert solid("".join(clauses(text))) == solid(text)


@given(HOSTILE)
def test_speakable_text_is_stable_and_encodes(text: str) -> None:
    clean = speakable(text)
    clean.encode()
    assert "\0" not in clean
    assert speakable(clean) == clean


def test_ten_thousand_characters_in_no_time() -> None:
    for text in ("a" * 10_000, "a " * 5_000, "a, b. " * 1_667, "你好。" * 3_334, "!?. " * 2_500):
        parts = portions(text, 200)
        assert solid("".join(parts)) == solid(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.50 dollars. He left.", ["Dr. Smith paid 3.50 dollars.", "He left."]),
        ("J. R. R. Tolkien wrote.", ["J. R. R. Tolkien wrote."]),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("Line one\nline two", ["Line one", "line two"]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("यह है। वह था।", ["यह है।", "वह था।"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_long_sentences_are_cut_at_clauses_first() -> None:
    text = "When it rains, we stay at home, and when it shines, we go out"
    assert portions(text, 40) == [
        "When it rains, we stay at home,",
        "and when it shines, we go out",
    ]
    assert portions(text, 100) == [text]


def test_accents_stay_with_their_letters() -> None:
    assert portions("e\u0301" * 10, 5)[0] == "e\u0301e\u0301"


@pytest.mark.parametrize("text", ["", "...", "— ?!", "😀🎉", "\x00\x07", "♪ ♫", "\u202e"])
def test_text_without_anything_to_pronounce_is_empty(text: str) -> None:
    assert speakable(text) == ""


def test_what_no_voice_reads_is_left_out() -> None:
    assert speakable("Go 😀 \u202enow\x00!") == "Go now !"
