"""What people write for a language is understood, or refused with what they may have meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.languages import (
    LanguageError,
    among,
    container_tag,
    is_language,
    language_name,
    language_tag,
    same_language,
)


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        (" EN ", "en"),
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("pt_BR", "pt-BR"),
        ("POR-br", "pt-BR"),
        ("en-Latn", "en"),
        ("iw", "he"),
        ("cmn", "zh"),
        ("zh-cmn-Hans", "zh-Hans"),
        ("zh-yue", "yue"),
        ("es-419", "es-419"),
        ("en-US-x-private", "en-US"),
        ("no", "no"),
        ("nb", "nb"),
        ("tl", "fil"),
        ("Portuguese", "pt"),
        ("brazilian portuguese", "pt-BR"),
        ("Chinese (Traditional)", "zh-Hant"),
        ("Mandarin", "zh"),
        ("Farsi", "fa"),
        ("Deutsch", "de"),
        ("русский", "ru"),
    ],
)
def test_a_language_has_one_tag(written: str, tag: str) -> None:
    assert language_tag(written) == tag


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("jp", "ja (Japanese)"),
        ("cz", "cs (Czech)"),
        ("ua", "uk (Ukrainian)"),
        ("po", "pl (Polish) or pt (Portuguese)"),
        ("Portugeese", "pt (Portuguese)"),
        ("Spanishxyz", "es (Spanish)"),
        ("Englsh", "en (English)"),
        ("en-", "en (English)"),
    ],
)
def test_what_is_none_is_refused_with_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(LanguageError) as refused:
        language_tag(written)
    assert str(refused.value).startswith(f"'{written}' is no language; did you mean {meant}")
    assert str(refused.value).endswith("?")


@pytest.mark.parametrize("written", ["und", "qaa", "x-foo", "", "pt-BRA", "e" * 500])
def test_what_resembles_none_is_refused_with_the_form(written: str) -> None:
    with pytest.raises(LanguageError, match=r"is no language; write a code") as refused:
        language_tag(written)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 200


@given(st.one_of(st.text(max_size=100), st.text("abcdeptu-_ ", max_size=12)))
def test_anything_is_a_tag_or_a_sentence(written: str) -> None:
    try:
        tag = language_tag(written)
    except LanguageError as refused:
        assert str(refused).isprintable()
    else:
        assert language_tag(tag) == tag and is_language(tag)


def test_codes_of_one_language() -> None:
    assert (
        same_language("fre", "fr-CA") and same_language("nob", "no") and same_language("iw", "he")
    )
    assert not same_language("und", "en") and not same_language("jpn", "en")


@pytest.mark.parametrize(
    ("language", "codes", "expected"),
    [
        ("jv", ("en", "jw"), "jw"),
        ("fil", ("tl",), "tl"),
        ("nb", ("nn", "no"), "no"),
        ("pt-BR", ("pt", "pt-br"), "pt-br"),
        ("pt-PT", ("en", "pt"), "pt"),
        ("zh-Hant", ("zh",), "zh"),
        ("yue", ("zh",), None),
    ],
)
def test_the_code_that_somebody_else_uses(
    language: str, codes: tuple[str, ...], expected: str | None
) -> None:
    assert among(language, codes) == expected


def test_containers_take_three_letters() -> None:
    tags = {"pt": "por", "pt-BR": "por", "zh": "zho", "fil": "fil", "nb": "nob", "": "und"}
    assert {code: container_tag(code) for code in tags} == tags


def test_names_are_english() -> None:
    assert [language_name(tag) for tag in ("pt-BR", "zh", "und")] == [
        "Portuguese (Brazil)",
        "Chinese",
        "und",
    ]
