"""What XTTS is given to say: numbers, abbreviations and names in words, in portions it can say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tts.xtts.cyrillic import in_cyrillic
from stages.tts.xtts.text import LIMITS, xtts_portions

HOSTILE = st.text(
    st.characters() | st.sampled_from(' .,!?…。！？،؟।—\n0123456789$%:№º"”»)\ud83d'), max_size=200
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Это Microsoft.", "Это Микрософт."),
        ("Anna и Boris", "Анна и Борис"),
        ("в USA и NATO", "в ю эс эй и Нато"),
        ("Alice", "Алис"),
        ("café", "кафе"),
    ],
)
def test_latin_names_in_russian(text: str, expected: str) -> None:
    said = in_cyrillic(text)
    assert not re.search("[A-Za-z]", said)
    assert said == expected


@given(HOSTILE, st.sampled_from(sorted(LIMITS)))
def test_portions_of_any_text_fit_the_model(text: str, language: str) -> None:
    for portion in xtts_portions(text, language):
        assert len(portion.text) <= 0.8 * LIMITS[language]
        assert any(character.isalnum() for character in portion.spoken)
        assert portion.clause_ends >= 0
        portion.spoken.encode()
        if language != "zh":
            assert not re.search("[0-9]", portion.spoken)


def test_tiny_sentences_are_said_with_their_neighbours() -> None:
    found = xtts_portions("Да. Нет! Я думаю, что завтра будет хорошая погода. Так.", "ru")
    assert [portion.text for portion in found] == [
        "Да. Нет! Я думаю, что завтра будет хорошая погода. Так."
    ]
    assert found[0].clause_ends == 4


def test_what_would_be_read_aloud_is_left_out() -> None:
    (portion,) = xtts_portions("«Он сказал “нет!”» (тихо).", "ru")
    assert portion.spoken == "Он сказал нет! тихо"
    (question,) = xtts_portions("Are you there?'", "en")
    assert question.spoken == "Are you there?"


def test_long_sentences_are_cut_at_clauses_below_the_limit() -> None:
    clause = "когда идёт дождь мы остаёмся дома и читаем книги, "
    found = xtts_portions(clause * 10, "ru")
    assert len(found) >= 4
    assert all(len(p.text) <= 145 and p.text.endswith(",") for p in found)


def test_ten_thousand_characters() -> None:
    found = xtts_portions("1234567890 " * 900 + "слово " * 100, "ru")
    assert sum(len(p.spoken) for p in found) > 10_000
