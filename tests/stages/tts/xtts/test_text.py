"""What XTTS is given to say: numbers, abbreviations and names in words, in portions it can say."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.tts.xtts.cyrillic import in_cyrillic
from stages.tts.xtts.text import LIMITS, xtts_portions

pytest.importorskip("num2words")
from stages.tts.xtts.spelling import spelled_out

HOSTILE = st.text(
    st.characters() | st.sampled_from(' .,!?…。！？،؟।—\n0123456789$%:№º"”»)\ud83d'), max_size=200
)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("ru", "У нас 25 мест.", "У нас двадцать пять мест."),
        ("ru", "В 2024 г. было 3,5 млн человек.",
         "В две тысячи двадцать четыре года было три целых пять десятых миллионов человек."),
        ("ru", "Цена 1 500 руб., т.е. дорого.",
         "Цена одна тысяча пятьсот рублей, то есть дорого."),
        ("ru", "Это 2-й раз.", "Это второй раз."),
        ("ru", "В 12:30, и т.д.", "В двенадцать тридцать, и так далее"),
        ("en", "It costs $1,250.50 today.", "It costs one thousand, two hundred and fifty"),
        ("en", "The 3rd of 10, e.g. this.", "The third of ten, for example this."),
        ("pt", "São 1.000 pessoas, p. ex. 16.", "São mil pessoas, por exemplo dezesseis."),
        ("de", "z.B. 21", "zum Beispiel einundzwanzig"),
        ("hi", "12 लोग", "एक  दो  लोग"),
        ("en", "Call 007 or 1234567890123.", "Call zero zero seven or one two three"),
        ("ar", "٣ كتب", "ثلاثة كتب"),
    ],
)  # fmt: skip
def test_numbers_and_abbreviations(language: str, text: str, expected: str) -> None:
    spoken = re.sub(r"\s+", " ", spelled_out(text, language)).strip()
    assert spoken.startswith(re.sub(r"\s+", " ", expected))


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


@settings(deadline=None)
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
